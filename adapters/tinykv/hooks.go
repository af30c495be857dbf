// Laid inside the course's package raft by `go build -overlay`: what the package keeps to itself and an adapter
// has to see or set. Every name in it is one of the public skeleton's. Nothing of the package is changed.

package raft

import pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"

// AdapterStatus is what an adapter says of a replica.
type AdapterStatus struct {
	ID, Term, Vote, Lead      uint64
	Role                      string
	Commit, Applied, Last     uint64
	Promotable                bool
	Transferee, PendingChange uint64
	Votes                     map[uint64]bool
	Matched                   map[uint64]uint64
}

// AdapterStatus looks at everything that is judged.
func (rn *RawNode) AdapterStatus() AdapterStatus {
	r := rn.Raft
	s := AdapterStatus{
		ID: r.id, Term: r.Term, Vote: r.Vote, Lead: r.Lead, Role: "follower", Commit: r.RaftLog.committed,
		Applied: r.RaftLog.applied, Last: r.RaftLog.LastIndex(), Promotable: r.Prs[r.id] != nil,
	}
	switch r.State {
	case StateCandidate:
		s.Role, s.Votes = "candidate", map[uint64]bool{}
		for id, vote := range r.votes {
			s.Votes[id] = vote
		}
	case StateLeader:
		s.Role, s.Transferee, s.PendingChange = "leader", r.leadTransferee, r.PendingConfIndex
		s.Matched = map[uint64]uint64{}
		for id, pr := range r.Prs {
			s.Matched[id] = pr.Match
		}
	}
	return s
}

// AdapterApplied is how far the log takes entries for applied.
func (rn *RawNode) AdapterApplied() uint64 { return rn.Raft.RaftLog.applied }

// AdapterSetApplied says how far entries took effect, where Advance has it otherwise.
func (rn *RawNode) AdapterSetApplied(index uint64) { rn.Raft.RaftLog.applied = index }

// AdapterCompact lets the log forget what the storage has forgotten.
func (rn *RawNode) AdapterCompact() { rn.Raft.RaftLog.maybeCompact() }

// AdapterProbe takes the log of a follower for known to before next, and sends what comes next. The course's
// leader sends all of it; where one entry is asked for, the rest is cut off.
func (rn *RawNode) AdapterProbe(to, next uint64, one bool) {
	r := rn.Raft
	pr := r.Prs[to]
	if r.State != StateLeader || pr == nil {
		return
	}
	pr.Next = next
	before := len(r.msgs)
	r.sendAppend(to)
	for i := before; i < len(r.msgs); i++ {
		if m := &r.msgs[i]; one && m.MsgType == pb.MessageType_MsgAppend && len(m.Entries) > 1 {
			m.Entries = m.Entries[:1]
		}
	}
}

// AdapterBeat sends heartbeats, and takes the log of a follower for known to its end.
func (rn *RawNode) AdapterBeat(to uint64) error {
	r := rn.Raft
	if pr := r.Prs[to]; r.State == StateLeader && pr != nil {
		pr.Next = r.RaftLog.LastIndex() + 1
	}
	return r.Step(pb.Message{MsgType: pb.MessageType_MsgBeat})
}

// AdapterFollow makes it a follower of nobody.
func (rn *RawNode) AdapterFollow(term uint64) { rn.Raft.becomeFollower(term, None) }
