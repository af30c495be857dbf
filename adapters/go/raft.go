// A raft of one file, to begin an adapter from: see ../skeletons.md.
//
// `go run raft.go wire.go` has a bug, and with `--right` behind it has not.
package main

import (
	"os"
	"sort"
)

var right = len(os.Args) > 1 && os.Args[1] == "--right"

// raft is one replica. Its log is entries behind truncated, an index and a term.
type raft struct {
	id, term, vote, leader   uint64
	commit, applied, pending uint64
	role                     string
	truncated                position
	entries                  []entry
	voters, learners         map[uint64]bool
	votes                    map[uint64]bool
	matched                  map[uint64]uint64
	waiting                  *snapshot
	// What an answer says beside the status.
	said done
}

func open(q *openVerb) *raft {
	r := &raft{
		id: q.ID, term: q.Term, vote: q.Vote, commit: q.Commit, applied: q.Applied, role: "follower",
		truncated: q.Truncated, entries: q.Entries,
	}
	r.voters, r.learners = setOf(q.Conf.Voters), setOf(q.Conf.Learners)
	return r
}

// The log.

func (r *raft) last() position {
	if len(r.entries) == 0 {
		return r.truncated
	}
	end := r.entries[len(r.entries)-1]
	return position{end.Index, end.Term}
}

// termAt is 0 where there is no entry.
func (r *raft) termAt(index uint64) uint64 {
	switch {
	case index == r.truncated[0]:
		return r.truncated[1]
	case index < r.truncated[0] || index > r.last()[0]:
		return 0
	}
	return r.entries[index-r.truncated[0]-1].Term
}

func (r *raft) append(e entry) {
	keep := e.Index - r.truncated[0] - 1
	r.entries = append(r.entries[:keep:keep], e)
	r.said.Appended = append(r.said.Appended, e)
}

// Roles.

func (r *raft) follow(term, leader uint64) {
	if term != r.term {
		r.term, r.vote = term, 0
	}
	r.role, r.leader, r.votes, r.matched, r.pending = "follower", leader, nil, nil, 0
}

func (r *raft) others(of ...map[uint64]bool) []uint64 {
	ids := []uint64{}
	for _, set := range of {
		for id := range set {
			if id != r.id {
				ids = append(ids, id)
			}
		}
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

func (r *raft) quorum(has func(uint64) bool) bool {
	count := 0
	for id := range r.voters {
		if has(id) {
			count++
		}
	}
	return count > len(r.voters)/2
}

func (r *raft) hasChange(after, to uint64) bool {
	for _, e := range r.entries {
		if e.Change != nil && after < e.Index && e.Index <= to {
			return true
		}
	}
	return false
}

func (r *raft) campaign() {
	if r.role == "leader" || !r.voters[r.id] || r.hasChange(r.applied, r.commit) {
		return
	}
	r.follow(r.term+1, 0)
	r.role, r.vote, r.votes = "candidate", r.id, map[uint64]bool{r.id: true}
	for _, voter := range r.others(r.voters) {
		r.send(message{Type: "vote", To: voter, Index: r.last()[0], LogTerm: r.last()[1]})
	}
	r.countVotes()
}

func (r *raft) countVotes() {
	granted := func(id uint64) bool { return r.votes[id] }
	open := func(id uint64) bool { granted, answered := r.votes[id]; return granted || !answered }
	if r.quorum(granted) {
		r.role, r.leader, r.votes, r.matched = "leader", r.id, nil, map[uint64]uint64{}
		for _, id := range append(r.others(r.voters, r.learners), r.id) {
			r.matched[id] = 0
		}
		r.pending = r.last()[0]
		r.lead(entry{})
	} else if !r.quorum(open) {
		r.follow(r.term, 0)
	}
}

// lead appends a leader's entry, and sends it to who has what is before it.
func (r *raft) lead(e entry) {
	e.Index, e.Term = r.last()[0]+1, r.term
	r.append(e)
	r.matched[r.id] = e.Index
	r.tryCommit()
	r.sendAll()
}

func (r *raft) sendAll() {
	for _, to := range r.others(r.voters, r.learners) {
		after := r.last()[0]
		if r.matched[to] > 0 {
			after = r.matched[to] + 1
		}
		r.sendAppend(to, after, false)
	}
}

func (r *raft) tryCommit() bool {
	for index := r.last()[0]; index > r.commit; index-- {
		has := r.quorum(func(id uint64) bool { return r.matched[id] >= index })
		// The bug: a majority has the entry, and that is taken to be enough. An entry of an
		// earlier term may still be written over (Raft paper, figure 8).
		if has && (r.termAt(index) == r.term || !right) {
			r.commit = index
			return true
		}
	}
	return false
}

// Messages.

func (r *raft) send(m message) {
	m.From, m.Term = r.id, r.term
	r.said.Sent = append(r.said.Sent, m)
}

// sendAppend sends the entries from after on, or a snapshot where they are discarded.
func (r *raft) sendAppend(to, after uint64, one bool) {
	if after <= r.truncated[0] {
		r.send(message{Type: "snapshot", To: to, Snapshot: &snapshot{r.applied, r.termAt(r.applied), r.conf()}})
		return
	}
	m := message{Type: "append", To: to, Index: after - 1, LogTerm: r.termAt(after - 1), Commit: r.commit}
	for _, e := range r.entries {
		if e.Index >= after && !(one && len(m.Entries) > 0) {
			m.Entries = append(m.Entries, e)
		}
	}
	r.send(m)
}

func (r *raft) step(m message) {
	isOfLeader := m.Type == "append" || m.Type == "heartbeat" || m.Type == "snapshot"
	switch {
	case m.Term < r.term:
		return
	case isOfLeader:
		r.follow(m.Term, m.From)
	case m.Term > r.term:
		r.follow(m.Term, 0)
	}
	switch m.Type {
	case "vote":
		end := r.last()
		free := r.vote == m.From || (r.vote == 0 && r.leader == 0)
		grants := free && (m.LogTerm > end[1] || m.LogTerm == end[1] && m.Index >= end[0])
		if grants {
			r.vote = m.From
		}
		r.send(message{Type: "vote_answer", To: m.From, Reject: !grants})
	case "vote_answer":
		if r.role == "candidate" {
			if _, answered := r.votes[m.From]; !answered {
				r.votes[m.From] = !m.Reject
			}
			r.countVotes()
		}
	case "append":
		r.onAppend(m)
	case "append_answer":
		r.onAppendAnswer(m)
	case "heartbeat":
		r.commit = max(r.commit, min(m.Commit, r.last()[0]))
		r.send(message{Type: "heartbeat_answer", To: m.From, Context: m.Context})
	case "snapshot":
		r.onSnapshot(m)
	}
}

func (r *raft) onAppend(m message) {
	answer := message{Type: "append_answer", To: m.From, Index: m.Index + uint64(len(m.Entries))}
	switch {
	case m.Index < r.commit:
		answer.Index = r.commit
	case r.termAt(m.Index) != m.LogTerm:
		answer.Index, answer.Reject = m.Index, true
	default:
		for _, e := range m.Entries {
			if r.termAt(e.Index) != e.Term {
				r.append(e)
			}
		}
		r.commit = max(r.commit, min(m.Commit, answer.Index))
	}
	r.send(answer)
}

func (r *raft) onAppendAnswer(m message) {
	matched, known := r.matched[m.From]
	switch {
	case r.role != "leader" || !known:
	case m.Reject:
		r.sendAppend(m.From, max(matched+1, min(m.Index, r.last()[0])), false)
	case m.Index > matched:
		r.matched[m.From] = m.Index
		if r.tryCommit() {
			r.sendAll()
		}
	}
}

func (r *raft) onSnapshot(m message) {
	at := m.Snapshot
	isMember := setOf(at.Conf.Voters)[r.id] || setOf(at.Conf.Learners)[r.id]
	switch {
	case at.Index <= r.commit || !isMember:
	case r.termAt(at.Index) == at.Term:
		r.commit = at.Index
	default:
		r.waiting, r.said.Snapshot = at, at
		return
	}
	r.send(message{Type: "append_answer", To: m.From, Index: r.commit})
}

// Verbs of the wire.

func (r *raft) takeSnapshot() {
	at := r.waiting
	r.waiting, r.truncated, r.entries = nil, position{at.Index, at.Term}, nil
	r.commit, r.applied = at.Index, at.Index
	r.voters, r.learners = setOf(at.Conf.Voters), setOf(at.Conf.Learners)
	r.send(message{Type: "append_answer", To: r.leader, Index: at.Index})
}

func (r *raft) proposeChange(change *change, data []byte) {
	switch {
	case r.role != "leader":
	case r.pending > r.applied:
		r.lead(entry{})
	default:
		r.pending = r.last()[0] + 1
		r.lead(entry{Change: change, Data: data})
	}
}

func (r *raft) applyChange(change *change) {
	for _, single := range change.Changes {
		delete(r.voters, single.Peer)
		delete(r.learners, single.Peer)
		switch single.Kind {
		case "add_voter":
			r.voters[single.Peer] = true
		case "add_learner":
			r.learners[single.Peer] = true
		}
	}
	if r.role != "leader" {
		return
	}
	matched := map[uint64]uint64{}
	for _, set := range []map[uint64]bool{r.voters, r.learners} {
		for id := range set {
			matched[id] = r.matched[id]
		}
	}
	r.matched = matched
	if (r.voters[r.id] || r.learners[r.id]) && r.tryCommit() {
		r.sendAll()
	}
}

func (r *raft) compact(index uint64) {
	at := position{index, r.termAt(index)}
	r.entries = append([]entry(nil), r.entries[index-r.truncated[0]:]...)
	r.truncated = at
}

func (r *raft) beat() {
	for _, other := range r.others(r.voters, r.learners) {
		r.send(message{Type: "heartbeat", To: other, Commit: min(r.matched[other], r.commit)})
	}
}

func (r *raft) conf() conf { return conf{listOf(r.voters), listOf(r.learners)} }

func (r *raft) status() *status {
	return &status{
		ID: r.id, Term: r.term, Vote: r.vote, Role: r.role, Leader: r.leader,
		Commit: position{r.commit, r.termAt(r.commit)}, Applied: position{r.applied, r.termAt(r.applied)},
		Last: r.last(), Promotable: r.voters[r.id], Votes: r.votes, Matched: r.matched, Pending: r.pending,
	}
}

func (r *raft) fork() *raft {
	copied := *r
	copied.entries = append([]entry(nil), r.entries...)
	copied.voters, copied.learners, copied.votes = copyOf(r.voters), copyOf(r.learners), copyOf(r.votes)
	copied.matched = copyOf(r.matched)
	return &copied
}
