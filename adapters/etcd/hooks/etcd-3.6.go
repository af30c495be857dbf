// Laid inside etcd's package raft, as of 3.6, by `go build -overlay`: what the package
// keeps to itself and an adapter has to see or set. Nothing of the package is changed.

package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// AdapterDialects names the harmless differences of this version (`rollcall dialects`).
func AdapterDialects() []string { return []string{"votes_tell_no_commit", "timeout_now_again"} }

// AdapterStatus is what an adapter says of a replica.
type AdapterStatus struct {
	ID, Term, Vote, Lead   uint64
	State                  StateType
	Commit, Applied, Last  [2]uint64
	Promotable             bool
	Transferee, PendingTop uint64
	Votes                  map[uint64]bool
	Matched                map[uint64]uint64
	Reading                map[string][]uint64
}

// AdapterStatus looks at everything that Rollcall compares.
func (rn *RawNode) AdapterStatus() AdapterStatus {
	r := rn.raft
	at := func(index uint64) [2]uint64 {
		term, err := r.raftLog.term(index)
		if err != nil {
			term = 0
		}
		return [2]uint64{index, term}
	}
	status := AdapterStatus{
		ID: r.id, Term: r.Term, Vote: r.Vote, Lead: r.lead, State: r.state,
		Commit: at(r.raftLog.committed), Applied: at(r.raftLog.applied), Last: at(r.raftLog.lastIndex()),
		Promotable: r.promotable(), Transferee: r.leadTransferee,
	}
	switch r.state {
	case StateCandidate, StatePreCandidate:
		status.Votes = r.trk.Votes
	case StateLeader:
		status.PendingTop = r.pendingConfIndex
		status.Matched = map[uint64]uint64{}
		for id, pr := range r.trk.Progress {
			status.Matched[id] = pr.Match
		}
		status.Reading = map[string][]uint64{}
		for context, read := range r.readOnly.pendingReadIndex {
			acks := []uint64{}
			for id := range read.acks {
				acks = append(acks, id)
			}
			status.Reading[context] = acks
		}
	}
	return status
}

// AdapterIsMember says whether the configuration in force has it.
func (rn *RawNode) AdapterIsMember(id uint64) bool {
	return rn.raft.trk.Progress[id] != nil
}

func (r *raft) adapterProbe(to, next uint64) {
	pr := r.trk.Progress[to]
	if pr == nil {
		return
	}
	pr.ResetState(tracker.StateProbe)
	pr.RecentActive = true
	pr.Next = next
}

// AdapterHears comes before an answer to entries: whether a late one finds its sender probed still depends on what
// became of other rounds, which Rollcall does not follow. Here it always does.
func (rn *RawNode) AdapterHears(from uint64) {
	pr := rn.raft.trk.Progress[from]
	if rn.raft.state == StateLeader && pr != nil && pr.State == tracker.StateReplicate {
		pr.ResetState(tracker.StateProbe)
	}
}

// AdapterPrepare keeps committed entries back: they take effect when that is told. The log has a switch for an
// application that is too slow.
func (rn *RawNode) AdapterPrepare() { rn.raft.raftLog.applyingEntsPaused = true }

// AdapterApplied says that committed entries took effect.
func (rn *RawNode) AdapterApplied(entries []pb.Entry) {
	_ = rn.raft.Step(pb.Message{Type: pb.MsgStorageApplyResp, To: rn.raft.id, Entries: entries})
	rn.AdapterPrepare()
}

// AdapterProbe takes the log of a follower for known to before next, and sends what comes next.
func (rn *RawNode) AdapterProbe(to, next uint64, one bool) {
	r := rn.raft
	r.adapterProbe(to, next)
	most := r.maxMsgSize
	if one {
		r.maxMsgSize = 0
	}
	r.sendAppend(to)
	r.maxMsgSize = most
}

// AdapterBeat sends heartbeats, and takes the log of a follower for known to its end.
func (rn *RawNode) AdapterBeat(to uint64) {
	rn.raft.adapterProbe(to, rn.raft.raftLog.lastIndex()+1)
	rn.raft.bcastHeartbeat()
}

// AdapterFollow makes it a follower of nobody.
func (rn *RawNode) AdapterFollow(term uint64) {
	rn.raft.becomeFollower(term, None)
}

// AdapterFork is a copy on a copy of its storage.
func (rn *RawNode) AdapterFork(storage Storage) *RawNode {
	from := rn.raft
	r := new(raft)
	*r = *from
	log := *from.raftLog
	log.storage = storage
	log.unstable.entries = append(from.raftLog.unstable.entries[:0:0], from.raftLog.unstable.entries...)
	r.raftLog = &log
	r.readStates = append([]ReadState(nil), from.readStates...)
	r.msgs = append(from.msgs[:0:0], from.msgs...)
	r.msgsAfterAppend = append(from.msgsAfterAppend[:0:0], from.msgsAfterAppend...)
	r.pendingReadIndexMessages = append(from.pendingReadIndexMessages[:0:0], from.pendingReadIndexMessages...)
	r.trk.Config = from.trk.Config.Clone()
	r.trk.Progress = tracker.ProgressMap{}
	for id, pr := range from.trk.Progress {
		copied := *pr
		copied.Inflights = pr.Inflights.Clone()
		r.trk.Progress[id] = &copied
	}
	r.trk.Votes = map[uint64]bool{}
	for id, vote := range from.trk.Votes {
		r.trk.Votes[id] = vote
	}
	r.readOnly = newReadOnly(from.readOnly.option)
	r.readOnly.readIndexQueue = append([]string(nil), from.readOnly.readIndexQueue...)
	for context, read := range from.readOnly.pendingReadIndex {
		copied := &readIndexStatus{req: read.req, index: read.index, acks: map[uint64]bool{}}
		for id, ack := range read.acks {
			copied.acks[id] = ack
		}
		r.readOnly.pendingReadIndex[context] = copied
	}
	r.tick = r.tickElection
	if r.state == StateLeader {
		r.tick = r.tickHeartbeat
	}
	copied := *rn
	copied.raft = r
	copied.stepsOnAdvance = append(rn.stepsOnAdvance[:0:0], rn.stepsOnAdvance...)
	return &copied
}
