// Package raft stands in for a student's: a raft of its own under the names of the course's skeleton, so that
// the adapter is tried without the course and without anybody's solution.
package raft

import (
	"errors"
	"sort"

	pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
)

// bug is laid in when it is linked: what is wrong with this raft.
var bug string

const None uint64 = 0

type StateType uint64

const (
	StateFollower StateType = iota
	StateCandidate
	StateLeader
)

var ErrProposalDropped = errors.New("raft proposal dropped")

type Config struct {
	ID                          uint64
	ElectionTick, HeartbeatTick int
	Storage                     Storage
	Applied                     uint64
}

type Progress struct{ Match, Next uint64 }

type Raft struct {
	id, Term, Vote   uint64
	RaftLog          *RaftLog
	Prs              map[uint64]*Progress
	State            StateType
	votes            map[uint64]bool
	msgs             []pb.Message
	Lead             uint64
	leadTransferee   uint64
	PendingConfIndex uint64
	elapsed, timeout int
}

func newRaft(c *Config) *Raft {
	hard, conf, err := c.Storage.InitialState()
	must(err)
	r := &Raft{
		id: c.ID, Term: hard.Term, Vote: hard.Vote, RaftLog: newLog(c.Storage), Prs: map[uint64]*Progress{},
		timeout: c.ElectionTick,
	}
	r.RaftLog.committed = hard.Commit
	if c.Applied > 0 {
		r.RaftLog.applied = c.Applied
	}
	for _, id := range conf.Nodes {
		r.Prs[id] = &Progress{}
	}
	return r
}

func (r *Raft) hardState() pb.HardState {
	return pb.HardState{Term: r.Term, Vote: r.Vote, Commit: r.RaftLog.committed}
}

func (r *Raft) softState() SoftState { return SoftState{Lead: r.Lead, RaftState: r.State} }

func (r *Raft) members() []uint64 {
	ids := []uint64{}
	for id := range r.Prs {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

func (r *Raft) others(each func(uint64)) {
	for _, id := range r.members() {
		if id != r.id {
			each(id)
		}
	}
}

func (r *Raft) send(m pb.Message) {
	m.From, m.Term = r.id, r.Term
	r.msgs = append(r.msgs, m)
}

func (r *Raft) sendAppend(to uint64) bool {
	pr := r.Prs[to]
	term, err := r.RaftLog.Term(pr.Next - 1)
	if err != nil {
		snapshot, err := r.RaftLog.storage.Snapshot()
		if err == nil {
			r.send(pb.Message{MsgType: pb.MessageType_MsgSnapshot, To: to, Snapshot: &snapshot})
		}
		return err == nil
	}
	m := pb.Message{MsgType: pb.MessageType_MsgAppend, To: to, Index: pr.Next - 1, LogTerm: term, Commit: r.RaftLog.committed}
	for _, e := range r.RaftLog.behind(pr.Next - 1) {
		copied := e
		m.Entries = append(m.Entries, &copied)
	}
	r.send(m)
	return true
}

func (r *Raft) sendHeartbeat(to uint64) {
	commit := r.RaftLog.committed
	if match := r.Prs[to].Match; match < commit {
		commit = match
	}
	r.send(pb.Message{MsgType: pb.MessageType_MsgHeartbeat, To: to, Commit: commit})
}

func (r *Raft) tick() {
	r.elapsed++
	if r.State == StateLeader {
		_ = r.Step(pb.Message{MsgType: pb.MessageType_MsgBeat})
		if r.elapsed >= r.timeout {
			r.elapsed, r.leadTransferee = 0, None
		}
	} else if r.elapsed >= r.timeout {
		r.elapsed = 0
		_ = r.Step(pb.Message{MsgType: pb.MessageType_MsgHup})
	}
}

func (r *Raft) becomeFollower(term, lead uint64) {
	if term > r.Term {
		r.Vote = None
	}
	r.State, r.Term, r.Lead, r.leadTransferee, r.elapsed, r.votes = StateFollower, term, lead, None, 0, nil
}

func (r *Raft) becomeCandidate() {
	r.State, r.Term, r.Vote, r.Lead, r.elapsed = StateCandidate, r.Term+1, r.id, None, 0
	r.votes = map[uint64]bool{r.id: true}
}

func (r *Raft) becomeLeader() {
	r.State, r.Lead, r.elapsed, r.leadTransferee = StateLeader, r.id, 0, None
	last := r.RaftLog.LastIndex()
	// An unapplied change of an earlier term may be among the entries.
	r.PendingConfIndex = last
	for _, pr := range r.Prs {
		*pr = Progress{Next: last + 1}
	}
	r.append(&pb.Entry{})
}

func (r *Raft) append(e *pb.Entry) {
	e.Term, e.Index = r.Term, r.RaftLog.LastIndex()+1
	r.RaftLog.put(*e)
	if pr := r.Prs[r.id]; pr != nil {
		*pr = Progress{Match: e.Index, Next: e.Index + 1}
	}
	r.others(func(id uint64) { r.sendAppend(id) })
	r.commit()
}

// commit counts replicas; a leader commits by that only entries of its own term.
func (r *Raft) commit() {
	matched := []uint64{}
	for _, pr := range r.Prs {
		matched = append(matched, pr.Match)
	}
	if len(matched) == 0 {
		return
	}
	sort.Slice(matched, func(i, j int) bool { return matched[i] > matched[j] })
	index := matched[len(matched)/2]
	if index > r.RaftLog.committed && r.RaftLog.matches(index, r.Term) {
		r.RaftLog.committed = index
		r.others(func(id uint64) { r.sendAppend(id) })
	}
}

// appliesAChange says whether a change is committed and did not take effect: the other members may be others.
func (r *Raft) appliesAChange() bool {
	for _, e := range r.RaftLog.nextEnts() {
		if e.EntryType == pb.EntryType_EntryConfChange {
			return true
		}
	}
	return false
}

func (r *Raft) campaign() {
	if r.State == StateLeader || r.Prs[r.id] == nil || r.appliesAChange() {
		return
	}
	r.becomeCandidate()
	last := r.RaftLog.LastIndex()
	term, _ := r.RaftLog.Term(last)
	r.others(func(id uint64) {
		r.send(pb.Message{MsgType: pb.MessageType_MsgRequestVote, To: id, Index: last, LogTerm: term})
	})
	r.count()
}

func (r *Raft) count() {
	yes, no := 0, 0
	for id := range r.Prs {
		if vote, said := r.votes[id]; said && vote {
			yes++
		} else if said {
			no++
		}
	}
	switch half := len(r.Prs) / 2; {
	case yes > half:
		r.becomeLeader()
	case no > half:
		r.becomeFollower(r.Term, None)
	}
}

func (r *Raft) Step(m pb.Message) error {
	switch m.MsgType {
	case pb.MessageType_MsgHup:
		r.campaign()
		return nil
	case pb.MessageType_MsgBeat:
		if r.State == StateLeader {
			r.others(r.sendHeartbeat)
		}
		return nil
	case pb.MessageType_MsgPropose:
		return r.takeProposal(m)
	case pb.MessageType_MsgTransferLeader:
		r.transfer(m.From)
		return nil
	}
	if m.Term < r.Term {
		if bug == "counts_old_grants" && m.MsgType == pb.MessageType_MsgRequestVoteResponse && r.State == StateCandidate {
			r.votes[m.From] = !m.Reject
			r.count()
		}
		// Whoever is behind hears of the term.
		if m.MsgType == pb.MessageType_MsgAppend || m.MsgType == pb.MessageType_MsgHeartbeat {
			r.send(pb.Message{MsgType: pb.MessageType_MsgAppendResponse, To: m.From, Index: r.RaftLog.LastIndex(), Reject: true})
		}
		if m.MsgType == pb.MessageType_MsgRequestVote {
			r.send(pb.Message{MsgType: pb.MessageType_MsgRequestVoteResponse, To: m.From, Reject: true})
		}
		return nil
	}
	if m.Term > r.Term {
		r.becomeFollower(m.Term, None)
	}
	r.take(m)
	return nil
}

// take is of a message of the raft's own term.
func (r *Raft) take(m pb.Message) {
	switch m.MsgType {
	case pb.MessageType_MsgRequestVote:
		r.vote(m)
	case pb.MessageType_MsgRequestVoteResponse:
		if r.State == StateCandidate {
			if _, said := r.votes[m.From]; !said {
				r.votes[m.From] = !m.Reject
			}
			r.count()
		}
	case pb.MessageType_MsgAppend:
		r.handleAppendEntries(m)
	case pb.MessageType_MsgHeartbeat:
		r.handleHeartbeat(m)
	case pb.MessageType_MsgSnapshot:
		r.handleSnapshot(m)
	case pb.MessageType_MsgAppendResponse:
		r.acknowledge(m)
	case pb.MessageType_MsgHeartbeatResponse:
		if pr := r.Prs[m.From]; r.State == StateLeader && pr != nil && pr.Match < r.RaftLog.LastIndex() {
			r.sendAppend(m.From)
		}
	case pb.MessageType_MsgTimeoutNow:
		r.campaign()
	}
}

func (r *Raft) vote(m pb.Message) {
	last := r.RaftLog.LastIndex()
	term, _ := r.RaftLog.Term(last)
	isFresh := m.LogTerm > term || m.LogTerm == term && m.Index >= last
	grant := isFresh && (r.Vote == m.From || r.Vote == None && r.Lead == None)
	if grant {
		r.Vote, r.elapsed = m.From, 0
	}
	r.send(pb.Message{MsgType: pb.MessageType_MsgRequestVoteResponse, To: m.From, Reject: !grant})
}

// hear is what a leader of this term does to whoever hears of it.
func (r *Raft) hear(m pb.Message) {
	vote := r.Vote
	r.becomeFollower(m.Term, m.From)
	r.Vote = vote
	if bug == "forgets_vote" && m.MsgType == pb.MessageType_MsgAppend {
		r.Vote, r.Lead = None, None
	}
}

func (r *Raft) handleAppendEntries(m pb.Message) {
	r.hear(m)
	answer := pb.Message{MsgType: pb.MessageType_MsgAppendResponse, To: m.From, Index: r.RaftLog.committed}
	switch {
	case m.Index < r.RaftLog.committed:
	case !r.RaftLog.matches(m.Index, m.LogTerm):
		answer.Reject, answer.Index = true, r.RaftLog.LastIndex()
		if m.Index <= answer.Index {
			answer.Index = m.Index - 1
		}
	default:
		end := m.Index
		for _, e := range m.Entries {
			r.RaftLog.put(*e)
			end = e.Index
		}
		r.commitTo(m.Commit, end)
		answer.Index = end
	}
	r.send(answer)
}

func (r *Raft) commitTo(commit, known uint64) {
	if commit > known {
		commit = known
	}
	if commit > r.RaftLog.committed {
		r.RaftLog.committed = commit
	}
}

func (r *Raft) handleHeartbeat(m pb.Message) {
	r.hear(m)
	r.commitTo(m.Commit, r.RaftLog.LastIndex())
	r.send(pb.Message{MsgType: pb.MessageType_MsgHeartbeatResponse, To: m.From})
}

func (r *Raft) handleSnapshot(m pb.Message) {
	r.hear(m)
	at := m.Snapshot.Metadata
	switch {
	case at.Index <= r.RaftLog.committed:
	case r.RaftLog.matches(at.Index, at.Term):
		r.RaftLog.committed = at.Index
	default:
		r.RaftLog.restore(m.Snapshot)
		r.Prs = map[uint64]*Progress{}
		for _, id := range at.ConfState.Nodes {
			r.Prs[id] = &Progress{}
		}
	}
	r.send(pb.Message{MsgType: pb.MessageType_MsgAppendResponse, To: m.From, Index: r.RaftLog.committed})
}

func (r *Raft) acknowledge(m pb.Message) {
	pr := r.Prs[m.From]
	if r.State != StateLeader || pr == nil {
		return
	}
	if m.Reject {
		if pr.Next = m.Index + 1; pr.Next <= pr.Match {
			pr.Next = pr.Match + 1
		}
		r.sendAppend(m.From)
		return
	}
	if m.Index > pr.Match {
		pr.Match = m.Index
	}
	if pr.Next <= pr.Match {
		pr.Next = pr.Match + 1
	}
	r.commit()
	if r.leadTransferee == m.From && pr.Match == r.RaftLog.LastIndex() {
		r.send(pb.Message{MsgType: pb.MessageType_MsgTimeoutNow, To: m.From})
	} else if pr.Next <= r.RaftLog.LastIndex() {
		r.sendAppend(m.From)
	}
}

func (r *Raft) takeProposal(m pb.Message) error {
	if r.State != StateLeader || r.leadTransferee != None || r.Prs[r.id] == nil {
		return ErrProposalDropped
	}
	for _, e := range m.Entries {
		if e.EntryType == pb.EntryType_EntryConfChange {
			if r.PendingConfIndex > r.RaftLog.applied {
				return ErrProposalDropped
			}
			r.PendingConfIndex = r.RaftLog.LastIndex() + 1
		}
		r.append(e)
	}
	return nil
}

func (r *Raft) transfer(to uint64) {
	pr := r.Prs[to]
	if r.State != StateLeader || pr == nil || to == r.id {
		return
	}
	r.leadTransferee, r.elapsed = to, 0
	if pr.Match == r.RaftLog.LastIndex() {
		r.send(pb.Message{MsgType: pb.MessageType_MsgTimeoutNow, To: to})
	} else {
		r.sendAppend(to)
	}
}

func (r *Raft) addNode(id uint64) {
	if r.Prs[id] == nil {
		r.Prs[id] = &Progress{Next: r.RaftLog.LastIndex() + 1}
	}
}

func (r *Raft) removeNode(id uint64) {
	delete(r.Prs, id)
	if r.leadTransferee == id {
		r.leadTransferee = None
	}
	if r.State == StateLeader {
		r.commit()
	}
}
