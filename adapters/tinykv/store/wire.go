package main

import (
	"encoding/hex"
	"encoding/json"
)

// The wire of level `world` as Rollcall's `adapters/README.md` tells it, with the actions of `docs/actions.md` that a
// store of the course has, and the view of `docs/trace.schema.json`.

type question struct {
	Seq   uint64    `json:"seq"`
	Hello *struct{} `json:"hello"`
	Reset *struct {
		Scope scope `json:"scope"`
	} `json:"reset"`
	Apply *struct {
		Action json.RawMessage `json:"action"`
	} `json:"apply"`
}

type answer struct {
	Seq     uint64      `json:"seq"`
	OK      interface{} `json:"ok,omitempty"`
	Refused string      `json:"refused,omitempty"`
	Failed  string      `json:"failed,omitempty"`
}

type handshake struct {
	Protocol int      `json:"protocol"`
	Level    string   `json:"level"`
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Has      []string `json:"has"`
}

type shown struct {
	Outcome string `json:"outcome,omitempty"`
	View    view   `json:"view"`
}

// hexed is a key or a value.
type hexed []byte

func (h hexed) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexed) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type scope struct {
	Stores  []uint64 `json:"stores"`
	Regions []region `json:"regions"`
	NextID  uint64   `json:"next_id"`
}

type epoch struct {
	ConfVer uint64 `json:"conf_ver"`
	Version uint64 `json:"version"`
}

type member struct {
	ID    uint64 `json:"id"`
	Store uint64 `json:"store"`
	Role  string `json:"role"`
}

type region struct {
	ID    uint64   `json:"id"`
	Start hexed    `json:"start"`
	End   hexed    `json:"end"`
	Epoch epoch    `json:"epoch"`
	Peers []member `json:"peers"`
}

// action is one of these.
type action struct {
	Campaign        *fields `json:"campaign,omitempty"`
	Vote            *fields `json:"vote,omitempty"`
	Replicate       *fields `json:"replicate,omitempty"`
	Heartbeat       *fields `json:"heartbeat,omitempty"`
	Propose         *fields `json:"propose,omitempty"`
	AskSplit        *fields `json:"ask_split,omitempty"`
	TimeoutNow      *fields `json:"timeout_now,omitempty"`
	TransferTimeout *fields `json:"transfer_timeout,omitempty"`
	Crash           *fields `json:"crash,omitempty"`
	Restart         *fields `json:"restart,omitempty"`
}

// fields has those of all actions.
type fields struct {
	Region    uint64   `json:"region"`
	Store     uint64   `json:"store"`
	Candidate uint64   `json:"candidate"`
	Voter     uint64   `json:"voter"`
	Leader    uint64   `json:"leader"`
	Follower  uint64   `json:"follower"`
	Entries   string   `json:"entries"`
	Reply     string   `json:"reply"`
	Command   *command `json:"command"`
	Epoch     *epoch   `json:"epoch"`
	Keys      []hexed  `json:"keys"`
	Derive    string   `json:"derive"`
}

// command is one of these; it stays in the view as it was asked for.
type command struct {
	Put            *keyValue   `json:"put,omitempty"`
	Delete         *keyValue   `json:"delete,omitempty"`
	ChangePeer     *change     `json:"change_peer,omitempty"`
	Split          *split      `json:"split,omitempty"`
	TransferLeader *transferTo `json:"transfer_leader,omitempty"`
	CompactLog     *compactLog `json:"compact_log,omitempty"`
}

type keyValue struct {
	Key   hexed  `json:"key"`
	Value *hexed `json:"value,omitempty"`
}

type change struct {
	Kind  string `json:"kind"`
	Peer  uint64 `json:"peer"`
	Store uint64 `json:"store"`
}

type split struct {
	Children []child `json:"children"`
	Derive   string  `json:"derive"`
}

type child struct {
	Region uint64   `json:"region"`
	Key    hexed    `json:"key"`
	Peers  []uint64 `json:"peers"`
}

type transferTo struct {
	To uint64 `json:"to"`
}

type compactLog struct {
	Index uint64 `json:"index"`
}

type view struct {
	Stores map[uint64]*storeView `json:"stores"`
}

type storeView struct {
	Status string               `json:"status"`
	Peers  map[uint64]*peerView `json:"peers,omitempty"`
	Ranges []rangeView          `json:"ranges,omitempty"`
}

type rangeView struct {
	Start  hexed  `json:"start"`
	End    hexed  `json:"end"`
	Region uint64 `json:"region"`
}

type position struct {
	Index uint64 `json:"index"`
	Term  uint64 `json:"term"`
}

type entry struct {
	Term    uint64   `json:"term"`
	Command *command `json:"command,omitempty"`
	Epoch   *epoch   `json:"epoch,omitempty"`
}

type logView struct {
	Truncated position `json:"truncated"`
	Entries   []entry  `json:"entries,omitempty"`
}

type campaignView struct {
	Commit   position `json:"commit"`
	Granted  []uint64 `json:"granted"`
	Rejected []uint64 `json:"rejected,omitempty"`
}

type transferView struct {
	To         uint64 `json:"to"`
	TimeoutNow bool   `json:"timeout_now"`
}

type leadingView struct {
	Matched          map[uint64]uint64 `json:"matched"`
	PendingConfIndex uint64            `json:"pending_conf_index"`
	Transfer         *transferView     `json:"transfer,omitempty"`
}

type peerView struct {
	ID                uint64           `json:"id"`
	State             string           `json:"state"`
	ReplacesTombstone bool             `json:"replaces_tombstone,omitempty"`
	Role              string           `json:"role"`
	Term              uint64           `json:"term"`
	Vote              uint64           `json:"vote"`
	Leader            uint64           `json:"leader"`
	Log               logView          `json:"log"`
	Commit            uint64           `json:"commit"`
	Applied           uint64           `json:"applied"`
	Region            region           `json:"region"`
	Campaign          *campaignView    `json:"campaign,omitempty"`
	Leading           *leadingView     `json:"leading,omitempty"`
	Data              map[string]hexed `json:"data,omitempty"`
}
