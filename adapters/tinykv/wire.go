package main

import (
	"encoding/json"

	pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
)

// The wire as Rollcall's `adapters/README.md` tells it. Bytes are base64 in Go's own JSON, too, and a whole
// message or entry travels as such.

type question struct {
	Seq uint64 `json:"seq"`

	Hello         *struct{}   `json:"hello"`
	Open          *openVerb   `json:"open"`
	Close         *verb       `json:"close"`
	Campaign      *verb       `json:"campaign"`
	Tick          *verb       `json:"tick"`
	Step          *stepVerb   `json:"step"`
	Propose       *verb       `json:"propose"`
	ProposeChange *changeVerb `json:"propose_change"`
	ApplyChange   *changeVerb `json:"apply_change"`
	Applied       *verb       `json:"applied"`
	TakeSnapshot  *verb       `json:"take_snapshot"`
	Compact       *verb       `json:"compact"`
	Probe         *verb       `json:"probe"`
	Beat          *verb       `json:"beat"`
	Transfer      *verb       `json:"transfer"`
	Follow        *verb       `json:"follow"`
}

// verb has the fields of all small ones.
type verb struct {
	Node  uint64 `json:"node"`
	Data  []byte `json:"data"`
	Index uint64 `json:"index"`
	To    uint64 `json:"to"`
	Next  uint64 `json:"next"`
	One   bool   `json:"one"`
	Term  uint64 `json:"term"`
}

type openVerb struct {
	Node      uint64    `json:"node"`
	ID        uint64    `json:"id"`
	Term      uint64    `json:"term"`
	Vote      uint64    `json:"vote"`
	Commit    uint64    `json:"commit"`
	Applied   uint64    `json:"applied"`
	Truncated [2]uint64 `json:"truncated"`
	Entries   []entry   `json:"entries"`
	Conf      conf      `json:"conf"`
}

type stepVerb struct {
	Node    uint64  `json:"node"`
	Message message `json:"message"`
}

type changeVerb struct {
	Node   uint64 `json:"node"`
	Change change `json:"change"`
	Data   []byte `json:"data"`
}

type conf struct {
	Voters []uint64 `json:"voters"`
}

type single struct {
	Kind string `json:"kind"`
	Peer uint64 `json:"peer"`
}

type change struct {
	Shape   string   `json:"shape"`
	Changes []single `json:"changes,omitempty"`
}

type entry struct {
	Index  uint64  `json:"index"`
	Term   uint64  `json:"term"`
	Data   []byte  `json:"data,omitempty"`
	Change *change `json:"change,omitempty"`
	Body   []byte  `json:"body,omitempty"`
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
	Entries  []entry   `json:"entries,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
	Body     []byte    `json:"body,omitempty"`
}

type status struct {
	ID            uint64            `json:"id"`
	Term          uint64            `json:"term"`
	Vote          uint64            `json:"vote"`
	Role          string            `json:"role"`
	Leader        uint64            `json:"leader"`
	Commit        [2]uint64         `json:"commit"`
	Applied       [2]uint64         `json:"applied"`
	Last          [2]uint64         `json:"last"`
	Promotable    bool              `json:"promotable"`
	Transferee    uint64            `json:"transferee,omitempty"`
	PendingChange uint64            `json:"pending_change,omitempty"`
	Votes         map[uint64]bool   `json:"votes,omitempty"`
	Matched       map[uint64]uint64 `json:"matched,omitempty"`
}

type done struct {
	Status   *status   `json:"status,omitempty"`
	Appended []entry   `json:"appended,omitempty"`
	Sent     []message `json:"sent,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
}

type handshake struct {
	Protocol int      `json:"protocol"`
	Level    string   `json:"level"`
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Has      []string `json:"has"`
	Dialect  []string `json:"dialect"`
}

type answer struct {
	Seq     uint64      `json:"seq"`
	OK      interface{} `json:"ok,omitempty"`
	Refused string      `json:"refused,omitempty"`
	Failed  string      `json:"failed,omitempty"`
}

// types are those that one replica sends another. A proposal or a transfer that somebody passes on to its
// leader is lost on the way: Rollcall asks leaders alone.
var types = map[pb.MessageType]string{
	pb.MessageType_MsgAppend: "append", pb.MessageType_MsgAppendResponse: "append_answer",
	pb.MessageType_MsgRequestVote: "vote", pb.MessageType_MsgRequestVoteResponse: "vote_answer",
	pb.MessageType_MsgHeartbeat: "heartbeat", pb.MessageType_MsgHeartbeatResponse: "heartbeat_answer",
	pb.MessageType_MsgSnapshot: "snapshot", pb.MessageType_MsgTimeoutNow: "timeout_now",
}

// toRaft is the change as the course proposes it. Learners and joint changes it has not got.
func (c change) toRaft(context []byte) pb.ConfChange {
	s := c.Changes[0]
	kind := pb.ConfChangeType_AddNode
	if s.Kind == "remove" {
		kind = pb.ConfChangeType_RemoveNode
	}
	return pb.ConfChange{ChangeType: kind, NodeId: s.Peer, Context: context}
}

func changeOf(c pb.ConfChange) *change {
	kind := "add_voter"
	if c.ChangeType == pb.ConfChangeType_RemoveNode {
		kind = "remove"
	}
	return &change{"simple", []single{{kind, c.NodeId}}}
}

func entryOf(e pb.Entry) entry {
	body, err := json.Marshal(e)
	must(err)
	said := entry{Index: e.Index, Term: e.Term, Data: e.Data, Body: body}
	if e.EntryType == pb.EntryType_EntryConfChange {
		var c pb.ConfChange
		must(c.Unmarshal(e.Data))
		said.Data, said.Change = c.Context, changeOf(c)
	}
	return said
}

func (e entry) toRaft() pb.Entry {
	var entry pb.Entry
	must(json.Unmarshal(e.Body, &entry))
	return entry
}

func confOf(state *pb.ConfState) conf {
	if state == nil {
		return conf{[]uint64{}}
	}
	return conf{append([]uint64{}, state.Nodes...)}
}

func messageOf(name string, m pb.Message) message {
	body, err := json.Marshal(m)
	must(err)
	said := message{
		Type: name, From: m.From, To: m.To, Term: m.Term, Index: m.Index, LogTerm: m.LogTerm, Commit: m.Commit,
		Reject: m.Reject, Body: body,
	}
	for _, e := range m.Entries {
		said.Entries = append(said.Entries, entryOf(*e))
	}
	if m.MsgType == pb.MessageType_MsgSnapshot {
		at := m.Snapshot.Metadata
		said.Snapshot = &snapshot{at.Index, at.Term, confOf(at.ConfState)}
	}
	return said
}

// toRaft is the body, and of the head what Rollcall may have overruled.
func (m message) toRaft() pb.Message {
	var message pb.Message
	must(json.Unmarshal(m.Body, &message))
	message.To, message.Commit = m.To, m.Commit
	return message
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
