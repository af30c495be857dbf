// An adapter around etcd's raft: each verb of the wire is a call of its RawNode, and every
// Ready is handled until nothing is left but committed entries, which are applied when
// that is told.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"go.etcd.io/etcd/raft"
	pb "go.etcd.io/etcd/raft/raftpb"
)

// version is laid in by build.sh.
var version = "unknown"

// disk is what a replica has persisted, as raft reads it.
type disk struct {
	hard      pb.HardState
	conf      pb.ConfState
	applied   [2]uint64
	truncated [2]uint64
	entries   []pb.Entry
}

func (d *disk) InitialState() (pb.HardState, pb.ConfState, error) { return d.hard, d.conf, nil }
func (d *disk) FirstIndex() (uint64, error)                       { return d.truncated[0] + 1, nil }
func (d *disk) LastIndex() (uint64, error)                        { return d.truncated[0] + uint64(len(d.entries)), nil }

func (d *disk) Term(index uint64) (uint64, error) {
	switch {
	case index < d.truncated[0]:
		return 0, raft.ErrCompacted
	case index == d.truncated[0]:
		return d.truncated[1], nil
	case index > d.truncated[0]+uint64(len(d.entries)):
		return 0, raft.ErrUnavailable
	}
	return d.entries[index-d.truncated[0]-1].Term, nil
}

func (d *disk) Entries(low, high, most uint64) ([]pb.Entry, error) {
	if low <= d.truncated[0] {
		return nil, raft.ErrCompacted
	}
	if high > d.truncated[0]+uint64(len(d.entries))+1 {
		return nil, raft.ErrUnavailable
	}
	entries := d.entries[low-d.truncated[0]-1 : high-d.truncated[0]-1]
	size := uint64(0)
	for i, e := range entries {
		size += uint64(e.Size())
		if i > 0 && size > most {
			return entries[:i:i], nil
		}
	}
	return entries[:len(entries):len(entries)], nil
}

// Snapshot is of what took effect.
func (d *disk) Snapshot() (pb.Snapshot, error) {
	at := pb.SnapshotMetadata{Index: d.applied[0], Term: d.applied[1], ConfState: d.conf}
	return pb.Snapshot{Metadata: at}, nil
}

func (d *disk) append(entries []pb.Entry) {
	if len(entries) > 0 {
		keep := entries[0].Index - d.truncated[0] - 1
		d.entries = append(d.entries[:keep:keep], entries...)
	}
}

func (d *disk) compact(index uint64) {
	term, err := d.Term(index)
	must(err)
	d.entries = append([]pb.Entry(nil), d.entries[index-d.truncated[0]:]...)
	d.truncated = [2]uint64{index, term}
}

func (d *disk) fork() *disk {
	copied := *d
	copied.entries = append([]pb.Entry(nil), d.entries...)
	return &copied
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
		conf: o.Conf.state(), truncated: o.Truncated,
	}
	for _, e := range o.Entries {
		d.entries = append(d.entries, e.toRaft())
	}
	term, err := d.Term(o.Applied)
	if err != nil {
		return nil, err
	}
	d.applied = [2]uint64{o.Applied, term}
	raw, err := raft.NewRawNode(&raft.Config{
		ID: o.ID, ElectionTick: 2, HeartbeatTick: 1, Storage: d, Applied: o.Applied,
		MaxSizePerMsg: 1 << 62, MaxInflightMsgs: 256, Logger: quiet{},
	})
	if err == nil {
		raw.AdapterPrepare()
	}
	return &node{raw: raw, disk: d}, err
}

// isEmpty says whether nothing but committed entries is ready.
func isEmpty(ready raft.Ready) bool {
	return ready.SoftState == nil && raft.IsEmptyHardState(ready.HardState) && raft.IsEmptySnap(ready.Snapshot) &&
		len(ready.Entries) == 0 && len(ready.Messages) == 0 && len(ready.ReadStates) == 0
}

// drain handles what is ready, until a snapshot waits or nothing is left but committed entries.
func (n *node) drain(said *done) {
	for n.staged == nil && n.raw.HasReady() {
		ready := n.raw.Ready()
		if !raft.IsEmptyHardState(ready.HardState) {
			n.disk.hard = ready.HardState
		}
		if !raft.IsEmptySnap(ready.Snapshot) {
			at := ready.Snapshot.Metadata
			said.Snapshot = &snapshot{at.Index, at.Term, confOf(at.ConfState)}
			n.staged = &ready
			return
		}
		if isEmpty(ready) {
			return
		}
		n.disk.append(ready.Entries)
		for _, e := range ready.Entries {
			said.Appended = append(said.Appended, entryOf(e))
		}
		for _, read := range ready.ReadStates {
			said.Reads = append(said.Reads, read.RequestCtx)
		}
		n.send(ready.Messages, said)
		// What is committed waits for its own word.
		ready.CommittedEntries = nil
		n.raw.Advance(ready)
	}
}

func (n *node) send(messages []pb.Message, said *done) {
	for _, m := range messages {
		said.Sent = append(said.Sent, messageOf(m))
	}
}

// applied tells raft that entries up to there took effect.
func (n *node) applied(index uint64) error {
	entries, err := n.disk.Entries(n.disk.applied[0]+1, index+1, 1<<62)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		n.disk.applied = [2]uint64{index, entries[len(entries)-1].Term}
		n.raw.AdapterApplied(entries)
	}
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
	n.disk.truncated, n.disk.entries, n.disk.conf = n.disk.applied, nil, at.ConfState
	n.raw.Advance(ready)
	n.raw.AdapterPrepare()
	n.send(ready.Messages, said)
	return nil
}

func (n *node) status() *status {
	s := n.raw.AdapterStatus()
	said := &status{
		ID: s.ID, Term: s.Term, Vote: s.Vote, Role: roleOf(s.State), Leader: s.Lead, Commit: s.Commit,
		Applied: s.Applied, Last: s.Last, Promotable: s.Promotable, Transferee: s.Transferee,
		PendingChange: s.PendingTop, Votes: s.Votes, Matched: s.Matched,
	}
	for context, acks := range s.Reading {
		said.Reading = append(said.Reading, reading{[]byte(context), acks})
	}
	return said
}

type adapter map[uint64]*node

// take carries out one question. Its error is a refusal: nothing has changed.
func (a adapter) take(q *request) (said *done, handle uint64, err error) {
	said = &done{}
	on := func(node uint64) *node {
		handle = node
		n := a[node]
		if n == nil {
			panic(fmt.Sprintf("there is no replica %d", node))
		}
		return n
	}
	var n *node
	switch {
	case q.Open != nil:
		handle = q.Open.Node
		if n, err = open(q.Open); err == nil {
			a[handle] = n
		}
	case q.Close != nil:
		delete(a, q.Close.Node)
		return said, q.Close.Node, nil
	case q.Campaign != nil:
		n = on(q.Campaign.Node)
		err = n.raw.Campaign()
	case q.Tick != nil:
		n = on(q.Tick.Node)
		n.raw.Tick()
	case q.Step != nil:
		n = on(q.Step.Node)
		m := q.Step.Message.toRaft()
		if m.Type == pb.MsgAppResp {
			n.raw.AdapterHears(m.From)
		}
		err = n.raw.Step(m)
	case q.Propose != nil:
		n = on(q.Propose.Node)
		err = n.raw.Propose(q.Propose.Data)
	case q.ProposeChange != nil:
		n = on(q.ProposeChange.Node)
		err = n.raw.ProposeConfChange(q.ProposeChange.Change.toRaft(q.ProposeChange.Data))
	case q.ApplyChange != nil:
		n = on(q.ApplyChange.Node)
		n.disk.conf = *n.raw.ApplyConfChange(q.ApplyChange.Change.toRaft(nil))
	case q.Applied != nil:
		n = on(q.Applied.Node)
		err = n.applied(q.Applied.Index)
	case q.TakeSnapshot != nil:
		n = on(q.TakeSnapshot.Node)
		err = n.takeSnapshot(said)
	case q.Compact != nil:
		n = on(q.Compact.Node)
		n.disk.compact(q.Compact.Index)
	case q.Probe != nil:
		n = on(q.Probe.Node)
		n.raw.AdapterProbe(q.Probe.To, q.Probe.Next, q.Probe.One)
	case q.Beat != nil:
		n = on(q.Beat.Node)
		n.raw.AdapterBeat(q.Beat.To)
	case q.Transfer != nil:
		n = on(q.Transfer.Node)
		n.raw.TransferLeader(q.Transfer.To)
	case q.Read != nil:
		n = on(q.Read.Node)
		n.raw.ReadIndex(q.Read.Context)
	case q.Follow != nil:
		n = on(q.Follow.Node)
		n.raw.AdapterFollow(q.Follow.Term)
	case q.Fork != nil:
		from := on(q.Fork.Node)
		d := from.disk.fork()
		n = &node{raw: from.raw.AdapterFork(d), disk: d, staged: from.staged}
		a[q.Fork.As] = n
	default:
		return nil, 0, errors.New("a question of no known verb")
	}
	if err != nil {
		return nil, handle, err
	}
	n.drain(said)
	said.Status = n.status()
	return said, handle, nil
}

// reply answers; a panic of raft ends its replica, and the others live.
func (a adapter) reply(q *request) (said answer) {
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
			Protocol: 1, Level: "node", Name: "etcd raft", Version: version,
			Has: []string{
				"learners", "joint", "transfer", "reads", "snapshots", "compact", "probe", "apply_when_told", "fork",
			},
			Dialect: raft.AdapterDialects(),
		}
		return said
	}
	ok, of, err := a.take(q)
	handle = of
	if err != nil {
		said.Refused = err.Error()
	} else {
		said.OK = ok
	}
	return said
}

func main() {
	// Few replicas live at a time: the smallest heap is collected far too often.
	debug.SetGCPercent(800)
	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	replicas := adapter{}
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		must(err)
		var q request
		must(json.Unmarshal(line, &q))
		must(encoder.Encode(replicas.reply(&q)))
		if in.Buffered() == 0 {
			must(out.Flush())
		}
	}
}

// quiet is a logger that says nothing, and panics where raft finds itself broken.
type quiet struct{}

func (quiet) Debug(...interface{})            {}
func (quiet) Debugf(string, ...interface{})   {}
func (quiet) Error(...interface{})            {}
func (quiet) Errorf(string, ...interface{})   {}
func (quiet) Info(...interface{})             {}
func (quiet) Infof(string, ...interface{})    {}
func (quiet) Warning(...interface{})          {}
func (quiet) Warningf(string, ...interface{}) {}
func (quiet) Fatal(v ...interface{})          { panic(fmt.Sprint(v...)) }
func (quiet) Fatalf(f string, v ...interface{}) {
	panic(fmt.Sprintf(f, v...))
}
func (quiet) Panic(v ...interface{}) { panic(fmt.Sprint(v...)) }
func (quiet) Panicf(f string, v ...interface{}) {
	panic(fmt.Sprintf(f, v...))
}
