package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
)

// The wire as `../README.md` has it, as far as this raft goes. Go's own JSON writes bytes as base64.

type position [2]uint64

type question struct {
	Seq           uint64       `json:"seq"`
	Hello         *struct{}    `json:"hello"`
	Open          *openVerb    `json:"open"`
	Close         *nodeVerb    `json:"close"`
	Campaign      *nodeVerb    `json:"campaign"`
	Tick          *nodeVerb    `json:"tick"`
	Step          *stepVerb    `json:"step"`
	Propose       *proposeVerb `json:"propose"`
	ProposeChange *changeVerb  `json:"propose_change"`
	ApplyChange   *changeVerb  `json:"apply_change"`
	Applied       *indexVerb   `json:"applied"`
	TakeSnapshot  *nodeVerb    `json:"take_snapshot"`
	Compact       *indexVerb   `json:"compact"`
	Probe         *probeVerb   `json:"probe"`
	Beat          *nodeVerb    `json:"beat"`
	Follow        *followVerb  `json:"follow"`
	Fork          *forkVerb    `json:"fork"`
}

type nodeVerb struct {
	Node uint64 `json:"node"`
}

type openVerb struct {
	Node      uint64   `json:"node"`
	ID        uint64   `json:"id"`
	Term      uint64   `json:"term"`
	Vote      uint64   `json:"vote"`
	Commit    uint64   `json:"commit"`
	Applied   uint64   `json:"applied"`
	Truncated position `json:"truncated"`
	Entries   []entry  `json:"entries"`
	Conf      conf     `json:"conf"`
}

type stepVerb struct {
	Node    uint64  `json:"node"`
	Message message `json:"message"`
}

type proposeVerb struct {
	Node uint64 `json:"node"`
	Data []byte `json:"data"`
}

type changeVerb struct {
	Node   uint64  `json:"node"`
	Change *change `json:"change"`
	Data   []byte  `json:"data"`
}

type indexVerb struct {
	Node  uint64 `json:"node"`
	Index uint64 `json:"index"`
}

type probeVerb struct {
	Node uint64 `json:"node"`
	To   uint64 `json:"to"`
	Next uint64 `json:"next"`
	One  bool   `json:"one"`
}

type followVerb struct {
	Node uint64 `json:"node"`
	Term uint64 `json:"term"`
}

type forkVerb struct {
	Node uint64 `json:"node"`
	As   uint64 `json:"as"`
}

type conf struct {
	Voters   []uint64 `json:"voters"`
	Learners []uint64 `json:"learners,omitempty"`
}

type change struct {
	Shape   string   `json:"shape"`
	Changes []single `json:"changes"`
}

type single struct {
	Kind string `json:"kind"`
	Peer uint64 `json:"peer"`
}

type entry struct {
	Index  uint64  `json:"index"`
	Term   uint64  `json:"term"`
	Data   []byte  `json:"data,omitempty"`
	Change *change `json:"change,omitempty"`
}

type snapshot struct {
	Index uint64 `json:"index"`
	Term  uint64 `json:"term"`
	Conf  conf   `json:"conf"`
}

type message struct {
	Type     string    `json:"type"`
	From     uint64    `json:"from"`
	To       uint64    `json:"to"`
	Term     uint64    `json:"term"`
	Index    uint64    `json:"index,omitempty"`
	LogTerm  uint64    `json:"log_term,omitempty"`
	Commit   uint64    `json:"commit,omitempty"`
	Reject   bool      `json:"reject,omitempty"`
	Context  []byte    `json:"context,omitempty"`
	Entries  []entry   `json:"entries,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
}

type status struct {
	ID         uint64            `json:"id"`
	Term       uint64            `json:"term"`
	Vote       uint64            `json:"vote"`
	Role       string            `json:"role"`
	Leader     uint64            `json:"leader"`
	Commit     position          `json:"commit"`
	Applied    position          `json:"applied"`
	Last       position          `json:"last"`
	Promotable bool              `json:"promotable"`
	Pending    uint64            `json:"pending_change,omitempty"`
	Votes      map[uint64]bool   `json:"votes,omitempty"`
	Matched    map[uint64]uint64 `json:"matched,omitempty"`
}

type done struct {
	Status   *status   `json:"status,omitempty"`
	Appended []entry   `json:"appended,omitempty"`
	Sent     []message `json:"sent,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
}

type answer struct {
	Seq     uint64      `json:"seq"`
	OK      interface{} `json:"ok,omitempty"`
	Refused string      `json:"refused,omitempty"`
	Failed  string      `json:"failed,omitempty"`
}

type replicas map[uint64]*raft

// take carries out one question on its replica. A panic ends that replica, and the others live.
func (all replicas) take(q *question) (said answer) {
	said.Seq = q.Seq
	node := uint64(0)
	defer func() {
		if broken := recover(); broken != nil {
			delete(all, node)
			said = answer{Seq: q.Seq, Failed: fmt.Sprint(broken)}
		}
	}()
	on := func(id uint64) *raft {
		node = id
		all[id].said = done{}
		return all[id]
	}
	var r *raft
	switch {
	case q.Hello != nil:
		version := map[bool]string{true: "right", false: "with a bug"}[right]
		said.OK = map[string]interface{}{
			"protocol": 1, "level": "node", "name": "raft of one file", "version": version,
			"has":     []string{"learners", "snapshots", "compact", "probe", "apply_when_told", "fork"},
			"dialect": []string{"votes_tell_no_commit"},
		}
		return said
	case q.Open != nil:
		all[q.Open.Node] = open(q.Open)
		r = on(q.Open.Node)
	case q.Close != nil:
		delete(all, q.Close.Node)
		said.OK = done{}
		return said
	case q.Campaign != nil:
		r = on(q.Campaign.Node)
		r.campaign()
	case q.Tick != nil:
		// Rollcall has a verb for all that a clock would do.
		r = on(q.Tick.Node)
	case q.Step != nil:
		r = on(q.Step.Node)
		r.step(q.Step.Message)
	case q.Propose != nil:
		if r = on(q.Propose.Node); r.role == "leader" {
			r.lead(entry{Data: q.Propose.Data})
		}
	case q.ProposeChange != nil:
		r = on(q.ProposeChange.Node)
		r.proposeChange(q.ProposeChange.Change, q.ProposeChange.Data)
	case q.ApplyChange != nil:
		r = on(q.ApplyChange.Node)
		r.applyChange(q.ApplyChange.Change)
	case q.Applied != nil:
		r = on(q.Applied.Node)
		r.applied = q.Applied.Index
	case q.TakeSnapshot != nil:
		r = on(q.TakeSnapshot.Node)
		r.takeSnapshot()
	case q.Compact != nil:
		r = on(q.Compact.Node)
		r.compact(q.Compact.Index)
	case q.Probe != nil:
		r = on(q.Probe.Node)
		r.sendAppend(q.Probe.To, q.Probe.Next, q.Probe.One)
	case q.Beat != nil:
		r = on(q.Beat.Node)
		r.beat()
	case q.Follow != nil:
		r = on(q.Follow.Node)
		r.follow(q.Follow.Term, 0)
	case q.Fork != nil:
		all[q.Fork.As] = on(q.Fork.Node).fork()
		r = on(q.Fork.As)
	default:
		said.Refused = "no such verb here"
		return said
	}
	r.said.Status = r.status()
	said.OK = r.said
	return said
}

func main() {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	all := replicas{}
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var q question
		if err == nil {
			err = json.Unmarshal(line, &q)
		}
		if err == nil {
			err = encoder.Encode(all.take(&q))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}

func setOf(ids []uint64) map[uint64]bool {
	set := map[uint64]bool{}
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func listOf(set map[uint64]bool) []uint64 {
	ids := []uint64{}
	for id := range set {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

func copyOf[V any](from map[uint64]V) map[uint64]V {
	to := make(map[uint64]V, len(from))
	for id, value := range from {
		to[id] = value
	}
	return to
}

func min(a, b uint64) uint64 {
	if a < b {
		return a
	}
	return b
}

func max(a, b uint64) uint64 {
	if a > b {
		return a
	}
	return b
}
