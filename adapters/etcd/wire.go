package main

import (
	"fmt"

	"go.etcd.io/etcd/raft"
	pb "go.etcd.io/etcd/raft/raftpb"
)

// The wire as `adapters/README.md` tells it. Bytes are base64 in Go's own JSON, too.

type request struct {
	Seq uint64 `json:"seq"`

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
	Beat          *toVerb      `json:"beat"`
	Transfer      *toVerb      `json:"transfer"`
	Read          *readVerb    `json:"read"`
	Follow        *followVerb  `json:"follow"`
	Fork          *forkVerb    `json:"fork"`
}

type nodeVerb struct {
	Node uint64 `json:"node"`
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

type proposeVerb struct {
	Node uint64 `json:"node"`
	Data []byte `json:"data"`
}

type changeVerb struct {
	Node   uint64 `json:"node"`
	Change change `json:"change"`
	Data   []byte `json:"data"`
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

type toVerb struct {
	Node uint64 `json:"node"`
	To   uint64 `json:"to"`
}

type readVerb struct {
	Node    uint64 `json:"node"`
	Context []byte `json:"context"`
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
	Voters         []uint64 `json:"voters"`
	Learners       []uint64 `json:"learners"`
	VotersOutgoing []uint64 `json:"voters_outgoing"`
	LearnersNext   []uint64 `json:"learners_next"`
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
	Context  []byte    `json:"context,omitempty"`
	Entries  []entry   `json:"entries,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
	Body     []byte    `json:"body,omitempty"`
}

type reading struct {
	Context []byte   `json:"context"`
	Acks    []uint64 `json:"acks"`
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
	Reading       []reading         `json:"reading,omitempty"`
}

type done struct {
	Status   *status   `json:"status,omitempty"`
	Appended []entry   `json:"appended,omitempty"`
	Sent     []message `json:"sent,omitempty"`
	Snapshot *snapshot `json:"snapshot,omitempty"`
	Reads    [][]byte  `json:"reads,omitempty"`
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

var types = map[pb.MessageType]string{
	pb.MsgApp: "append", pb.MsgAppResp: "append_answer",
	pb.MsgVote: "vote", pb.MsgVoteResp: "vote_answer",
	pb.MsgHeartbeat: "heartbeat", pb.MsgHeartbeatResp: "heartbeat_answer",
	pb.MsgSnap: "snapshot", pb.MsgTimeoutNow: "timeout_now",
}

var kinds = map[string]pb.ConfChangeType{
	"add_voter": pb.ConfChangeAddNode, "add_learner": pb.ConfChangeAddLearnerNode, "remove": pb.ConfChangeRemoveNode,
}

func nameOf(kind pb.ConfChangeType) string {
	for name, known := range kinds {
		if known == kind {
			return name
		}
	}
	panic(fmt.Sprintf("a change of kind %v, which is never proposed", kind))
}

func roleOf(state raft.StateType) string {
	switch state {
	case raft.StateLeader:
		return "leader"
	case raft.StateFollower:
		return "follower"
	default:
		return "candidate"
	}
}

func confOf(state pb.ConfState) conf {
	some := func(ids []uint64) []uint64 { return append([]uint64{}, ids...) }
	return conf{some(state.Voters), some(state.Learners), some(state.VotersOutgoing), some(state.LearnersNext)}
}

func (c conf) state() pb.ConfState {
	return pb.ConfState{
		Voters: c.Voters, Learners: c.Learners, VotersOutgoing: c.VotersOutgoing, LearnersNext: c.LearnersNext,
	}
}

// toRaft is the change as etcd takes it, with its context.
func (c change) toRaft(context []byte) pb.ConfChangeI {
	if c.Shape == "simple" {
		return pb.ConfChange{Type: kinds[c.Changes[0].Kind], NodeID: c.Changes[0].Peer, Context: context}
	}
	joint := pb.ConfChangeV2{Context: context}
	if len(c.Changes) > 1 {
		// It is left when that is proposed.
		joint.Transition = pb.ConfChangeTransitionJointExplicit
	}
	for _, s := range c.Changes {
		joint.Changes = append(joint.Changes, pb.ConfChangeSingle{Type: kinds[s.Kind], NodeID: s.Peer})
	}
	return joint
}

// entryOf says what an entry is. All of it travels as the body.
func entryOf(e pb.Entry) entry {
	body, err := e.Marshal()
	must(err)
	said := entry{Index: e.Index, Term: e.Term, Body: body}
	switch e.Type {
	case pb.EntryNormal:
		said.Data = e.Data
	case pb.EntryConfChange:
		var simple pb.ConfChange
		must(simple.Unmarshal(e.Data))
		said.Data = simple.Context
		said.Change = &change{"simple", []single{{nameOf(simple.Type), simple.NodeID}}}
	case pb.EntryConfChangeV2:
		var joint pb.ConfChangeV2
		must(joint.Unmarshal(e.Data))
		said.Data = joint.Context
		said.Change = &change{Shape: "leave"}
		for _, s := range joint.Changes {
			said.Change.Shape = "enter"
			said.Change.Changes = append(said.Change.Changes, single{nameOf(s.Type), s.NodeID})
		}
	}
	return said
}

func (e entry) toRaft() pb.Entry {
	var entry pb.Entry
	must(entry.Unmarshal(e.Body))
	return entry
}

func messageOf(m pb.Message) message {
	name, known := types[m.Type]
	if !known {
		panic(fmt.Sprintf("a message of type %v, which no leader is asked for", m.Type))
	}
	body, err := m.Marshal()
	must(err)
	said := message{
		Type: name, From: m.From, To: m.To, Term: m.Term, Index: m.Index, LogTerm: m.LogTerm, Commit: m.Commit,
		Reject: m.Reject, Context: m.Context, Body: body,
	}
	for _, e := range m.Entries {
		said.Entries = append(said.Entries, entryOf(e))
	}
	if m.Type == pb.MsgSnap {
		at := m.Snapshot.Metadata
		said.Snapshot = &snapshot{at.Index, at.Term, confOf(at.ConfState)}
	}
	return said
}

// toRaft is the body, and of the head what Rollcall may have overruled.
func (m message) toRaft() pb.Message {
	var message pb.Message
	must(message.Unmarshal(m.Body))
	message.To, message.Commit, message.Context = m.To, m.Commit, m.Context
	return message
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
