// Laid inside etcd's package raft, as of 3.4, by `go build -overlay`: what the package
// keeps to itself and an adapter has to see or set. Nothing of the package is changed.

package raft

import (
	pb "go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/raft/tracker"
)

// AdapterDialects names the harmless differences of this version (`rollcall dialects`).
func AdapterDialects() []string { return []string{"votes_tell_no_commit"} }

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
		status.Votes = r.prs.Votes
	case StateLeader:
		status.PendingTop = r.pendingConfIndex
		status.Matched = map[uint64]uint64{}
		for id, pr := range r.prs.Progress {
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
	return rn.raft.prs.Progress[id] != nil
}

func (r *raft) adapterProbe(to, next uint64) {
	pr := r.prs.Progress[to]
	if pr == nil {
		return
	}
	pr.ResetState(tracker.StateProbe)
	pr.RecentActive = true
	pr.Next = next
}

// AdapterHears comes before an answer to entries. What it tells counts in any state of its sender's progress.
func (rn *RawNode) AdapterHears(uint64) {}

// AdapterPrepare is for later versions.
func (rn *RawNode) AdapterPrepare() {}

// AdapterApplied says that committed entries took effect.
func (rn *RawNode) AdapterApplied(entries []pb.Entry) {
	rn.Advance(Ready{CommittedEntries: entries})
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
	r.pendingReadIndexMessages = append(from.pendingReadIndexMessages[:0:0], from.pendingReadIndexMessages...)
	r.prs.Config = from.prs.Config.Clone()
	r.prs.Progress = tracker.ProgressMap{}
	for id, pr := range from.prs.Progress {
		copied := *pr
		copied.Inflights = pr.Inflights.Clone()
		r.prs.Progress[id] = &copied
	}
	r.prs.Votes = map[uint64]bool{}
	for id, vote := range from.prs.Votes {
		r.prs.Votes[id] = vote
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
	return &copied
}
