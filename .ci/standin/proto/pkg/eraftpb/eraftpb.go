// Package eraftpb stands in for the course's messages: the same names, no protobuf.
package eraftpb

import "encoding/json"

type EntryType int32

const (
	EntryType_EntryNormal EntryType = iota
	EntryType_EntryConfChange
)

type Entry struct {
	EntryType   EntryType
	Term, Index uint64
	Data        []byte
}

type ConfState struct{ Nodes []uint64 }

type SnapshotMetadata struct {
	ConfState   *ConfState
	Index, Term uint64
}

type Snapshot struct {
	Data     []byte
	Metadata *SnapshotMetadata
}

type MessageType int32

const (
	MessageType_MsgHup                 MessageType = 0
	MessageType_MsgBeat                MessageType = 1
	MessageType_MsgPropose             MessageType = 2
	MessageType_MsgAppend              MessageType = 3
	MessageType_MsgAppendResponse      MessageType = 4
	MessageType_MsgRequestVote         MessageType = 5
	MessageType_MsgRequestVoteResponse MessageType = 6
	MessageType_MsgSnapshot            MessageType = 7
	MessageType_MsgHeartbeat           MessageType = 8
	MessageType_MsgHeartbeatResponse   MessageType = 9
	MessageType_MsgTransferLeader      MessageType = 11
	MessageType_MsgTimeoutNow          MessageType = 12
)

type Message struct {
	MsgType        MessageType
	To, From, Term uint64
	LogTerm, Index uint64
	Entries        []*Entry
	Commit         uint64
	Snapshot       *Snapshot
	Reject         bool
}

// HardState cannot be compared by ==, as the course's cannot.
type HardState struct {
	Term, Vote, Commit uint64
	XXX_unrecognized   []byte `json:"-"`
}

type ConfChangeType int32

const (
	ConfChangeType_AddNode ConfChangeType = iota
	ConfChangeType_RemoveNode
)

type ConfChange struct {
	ChangeType ConfChangeType
	NodeId     uint64
	Context    []byte
}

func (c *ConfChange) Marshal() ([]byte, error)    { return json.Marshal(c) }
func (c *ConfChange) Unmarshal(data []byte) error { return json.Unmarshal(data, c) }
