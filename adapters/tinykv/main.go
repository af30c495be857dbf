// An adapter around the raft of the TinyKV course (2A, 2C, 3A): each verb of Rollcall's wire is a call of the
// RawNode, and every Ready is handled until nothing is left but committed entries, which are applied when that
// is told. Only names of the course's public skeleton are used.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/raft"
)

// disk is what a replica has persisted, as raft reads it.
type disk struct {
	hard      pb.HardState
	conf      pb.ConfState
	applied   [2]uint64
	truncated [2]uint64
	entries   []pb.Entry
}

func (d *disk) last() uint64                                      { return d.truncated[0] + uint64(len(d.entries)) }
func (d *disk) InitialState() (pb.HardState, pb.ConfState, error) { return d.hard, d.conf, nil }
func (d *disk) FirstIndex() (uint64, error)                       { return d.truncated[0] + 1, nil }
func (d *disk) LastIndex() (uint64, error)                        { return d.last(), nil }

func (d *disk) Term(index uint64) (uint64, error) {
	switch {
	case index < d.truncated[0]:
		return 0, raft.ErrCompacted
	case index == d.truncated[0]:
		return d.truncated[1], nil
	case index > d.last():
		return 0, raft.ErrUnavailable
	}
	return d.entries[index-d.truncated[0]-1].Term, nil
}

func (d *disk) Entries(low, high uint64) ([]pb.Entry, error) {
	if low <= d.truncated[0] {
		return nil, raft.ErrCompacted
	}
	if high > d.last()+1 {
		return nil, raft.ErrUnavailable
	}
	return append([]pb.Entry(nil), d.entries[low-d.truncated[0]-1:high-d.truncated[0]-1]...), nil
}

// Snapshot is of what took effect.
func (d *disk) Snapshot() (pb.Snapshot, error) {
	conf := pb.ConfState{Nodes: append([]uint64(nil), d.conf.Nodes...)}
	at := pb.SnapshotMetadata{Index: d.applied[0], Term: d.applied[1], ConfState: &conf}
	return pb.Snapshot{Metadata: &at}, nil
}

func (d *disk) append(entries []pb.Entry) {
	if len(entries) == 0 {
		return
	}
	if first := entries[0].Index; first <= d.truncated[0] || first > d.last()+1 {
		panic(fmt.Sprintf("Ready has entries from %d for a log from %d to %d", first, d.truncated[0]+1, d.last()))
	}
	keep := entries[0].Index - d.truncated[0] - 1
	d.entries = append(d.entries[:keep:keep], entries...)
}

func (d *disk) position(index uint64) [2]uint64 {
	term, err := d.Term(index)
	if err != nil {
		term = 0
	}
	return [2]uint64{index, term}
}

// node is one replica.
type node struct {
	raw  *raft.RawNode
	disk *disk
	// staged is a Ready whose snapshot waits to be stored.
	staged *raft.Ready
}

func open(o *openVerb) (*node, error) {
	d := &disk{
		hard: pb.HardState{Term: o.Term, Vote: o.Vote, Commit: o.Commit},
		conf: pb.ConfState{Nodes: o.Conf.Voters}, truncated: o.Truncated,
	}
	for _, e := range o.Entries {
		d.entries = append(d.entries, e.toRaft())
	}
	d.applied = d.position(o.Applied)
	raw, err := raft.NewRawNode(&raft.Config{ID: o.ID, ElectionTick: 2, HeartbeatTick: 1, Storage: d, Applied: o.Applied})
	return &node{raw: raw, disk: d}, err
}

// isEmpty says whether nothing but committed entries is ready.
func isEmpty(ready raft.Ready) bool {
	return raft.IsEmptyHardState(ready.HardState) && ready.Snapshot.Metadata == nil && len(ready.Entries) == 0 &&
		len(ready.Messages) == 0
}

// drain handles what is ready, until a snapshot waits or nothing is left but committed entries.
func (n *node) drain(said *done) {
	for n.staged == nil && n.raw.HasReady() {
		ready := n.raw.Ready()
		if !raft.IsEmptyHardState(ready.HardState) {
			n.disk.hard = ready.HardState
		}
		if ready.Snapshot.Metadata != nil {
			at := ready.Snapshot.Metadata
			said.Snapshot = &snapshot{at.Index, at.Term, confOf(at.ConfState)}
			n.staged = &ready
			return
		}
		empty := isEmpty(ready)
		n.disk.append(ready.Entries)
		for _, e := range ready.Entries {
			said.Appended = append(said.Appended, entryOf(e))
		}
		n.send(ready.Messages, said)
		// What is committed waits for its own word, whatever Advance makes of that.
		ready.CommittedEntries = nil
		n.raw.Advance(ready)
		n.raw.AdapterSetApplied(n.disk.applied[0])
		if empty {
			return
		}
	}
}

func (n *node) send(messages []pb.Message, said *done) {
	for _, m := range messages {
		if name, known := types[m.MsgType]; known {
			said.Sent = append(said.Sent, messageOf(name, m))
		}
	}
}

// applied tells raft that entries up to there took effect.
func (n *node) applied(index uint64) error {
	entries, err := n.disk.Entries(n.disk.applied[0]+1, index+1)
	if err != nil {
		return err
	}
	n.disk.applied = n.disk.position(index)
	n.raw.Advance(raft.Ready{CommittedEntries: entries})
	n.raw.AdapterSetApplied(index)
	return nil
}

func (n *node) takeSnapshot(said *done) error {
	if n.staged == nil {
		return errors.New("no snapshot waits")
	}
	ready := *n.staged
	n.staged = nil
	at := ready.Snapshot.Metadata
	n.disk.applied = [2]uint64{at.Index, at.Term}
	n.disk.truncated, n.disk.entries, n.disk.conf = n.disk.applied, nil, *at.ConfState
	n.raw.Advance(ready)
	n.raw.AdapterSetApplied(at.Index)
	n.send(ready.Messages, said)
	return nil
}

func (n *node) compact(index uint64) {
	at := n.disk.position(index)
	n.disk.entries = append([]pb.Entry(nil), n.disk.entries[index-n.disk.truncated[0]:]...)
	n.disk.truncated = at
	n.raw.AdapterCompact()
}

func (n *node) status() *status {
	s := n.raw.AdapterStatus()
	last := n.disk.position(s.Last)
	if n.staged != nil {
		last = n.disk.position(n.disk.last())
	}
	return &status{
		ID: s.ID, Term: s.Term, Vote: s.Vote, Role: s.Role, Leader: s.Lead, Commit: n.disk.position(s.Commit),
		Applied: n.disk.applied, Last: last, Promotable: s.Promotable, Transferee: s.Transferee,
		PendingChange: s.PendingChange, Votes: s.Votes, Matched: s.Matched,
	}
}

type adapter map[uint64]*node

func (a adapter) on(v *verb, handle *uint64) *node { return a.at(v.Node, handle) }

func (a adapter) at(node uint64, handle *uint64) *node {
	*handle = node
	n := a[node]
	if n == nil {
		panic(fmt.Sprintf("there is no replica %d", node))
	}
	return n
}

// take carries out one question. Its error is a refusal: nothing has changed.
func (a adapter) take(q *question, handle *uint64) (said *done, err error) {
	said = &done{}
	var n *node
	switch {
	case q.Open != nil:
		*handle = q.Open.Node
		if n, err = open(q.Open); err == nil {
			a[*handle] = n
		}
	case q.Close != nil:
		delete(a, q.Close.Node)
		return said, nil
	case q.Campaign != nil:
		n = a.on(q.Campaign, handle)
		err = n.raw.Campaign()
	case q.Tick != nil:
		n = a.on(q.Tick, handle)
		n.raw.Tick()
	case q.Step != nil:
		n = a.at(q.Step.Node, handle)
		// Who answers and is no member any more is nobody: the course's RawNode says so, and nothing has changed.
		_ = n.raw.Step(q.Step.Message.toRaft())
	case q.Propose != nil:
		n = a.on(q.Propose, handle)
		err = n.raw.Propose(q.Propose.Data)
	case q.ProposeChange != nil:
		n = a.at(q.ProposeChange.Node, handle)
		err = n.raw.ProposeConfChange(q.ProposeChange.Change.toRaft(q.ProposeChange.Data))
	case q.ApplyChange != nil:
		n = a.at(q.ApplyChange.Node, handle)
		n.disk.conf = *n.raw.ApplyConfChange(q.ApplyChange.Change.toRaft(nil))
	case q.Applied != nil:
		n = a.on(q.Applied, handle)
		err = n.applied(q.Applied.Index)
	case q.TakeSnapshot != nil:
		n = a.on(q.TakeSnapshot, handle)
		err = n.takeSnapshot(said)
	case q.Compact != nil:
		n = a.on(q.Compact, handle)
		n.compact(q.Compact.Index)
	case q.Probe != nil:
		n = a.on(q.Probe, handle)
		n.raw.AdapterProbe(q.Probe.To, q.Probe.Next, q.Probe.One)
	case q.Beat != nil:
		n = a.on(q.Beat, handle)
		err = n.raw.AdapterBeat(q.Beat.To)
	case q.Transfer != nil:
		n = a.on(q.Transfer, handle)
		n.raw.TransferLeader(q.Transfer.To)
	case q.Follow != nil:
		n = a.on(q.Follow, handle)
		n.raw.AdapterFollow(q.Follow.Term)
	default:
		return nil, errors.New("a question of no known verb")
	}
	if err != nil {
		return nil, err
	}
	n.drain(said)
	said.Status = n.status()
	return said, nil
}

// reply answers; a panic of raft ends its replica, and the others live.
func (a adapter) reply(q *question) (said answer) {
	said.Seq = q.Seq
	handle := uint64(0)
	defer func() {
		if broken := recover(); broken != nil {
			delete(a, handle)
			said = answer{Seq: q.Seq, Failed: fmt.Sprint(broken)}
		}
	}()
	if q.Hello != nil {
		said.OK = handshake{
			Protocol: 1, Level: "node", Name: "TinyKV raft", Version: "of this folder",
			Has:     []string{"transfer", "snapshots", "compact", "probe", "apply_when_told"},
			Dialect: []string{"votes_tell_no_commit"},
		}
		return said
	}
	ok, err := a.take(q, &handle)
	if err != nil {
		said.Refused = err.Error()
	} else {
		said.OK = ok
	}
	return said
}

func main() {
	// Whatever the course's code prints goes to standard error: standard output is the wire's.
	out := bufio.NewWriter(os.Stdout)
	os.Stdout = os.Stderr
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	replicas := adapter{}
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		must(err)
		var q question
		must(json.Unmarshal(line, &q))
		must(encoder.Encode(replicas.reply(&q)))
		if in.Buffered() == 0 {
			must(out.Flush())
		}
	}
}
