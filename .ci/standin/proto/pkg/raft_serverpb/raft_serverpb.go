// Package raft_serverpb stands in for the course's messages: the same names, no protobuf.
package raft_serverpb

import (
	"encoding/json"

	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
)

type PeerState int32

const (
	PeerState_Normal    PeerState = 0
	PeerState_Tombstone PeerState = 2
)

type RaftMessage struct {
	RegionId         uint64
	FromPeer, ToPeer *metapb.Peer
	Message          *eraftpb.Message
	RegionEpoch      *metapb.RegionEpoch
	IsTombstone      bool
	StartKey, EndKey []byte
}

func (m *RaftMessage) Marshal() ([]byte, error)    { return json.Marshal(m) }
func (m *RaftMessage) Unmarshal(data []byte) error { return json.Unmarshal(data, m) }

type RaftLocalState struct {
	HardState           *eraftpb.HardState
	LastIndex, LastTerm uint64
}

type RaftTruncatedState struct{ Index, Term uint64 }

type RaftApplyState struct {
	AppliedIndex   uint64
	TruncatedState *RaftTruncatedState
}

type RegionLocalState struct {
	State  PeerState
	Region *metapb.Region
}

type RaftSnapshotData struct{ Region *metapb.Region }

func (d *RaftSnapshotData) Marshal() ([]byte, error)    { return json.Marshal(d) }
func (d *RaftSnapshotData) Unmarshal(data []byte) error { return json.Unmarshal(data, d) }
