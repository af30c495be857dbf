// Package raft_cmdpb stands in for the course's messages: the same names, no protobuf.
package raft_cmdpb

import (
	"encoding/json"

	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/errorpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
)

type (
	CmdType      int32
	AdminCmdType int32
)

const (
	CmdType_Put    CmdType = 3
	CmdType_Delete CmdType = 4

	AdminCmdType_ChangePeer     AdminCmdType = 1
	AdminCmdType_CompactLog     AdminCmdType = 3
	AdminCmdType_TransferLeader AdminCmdType = 4
	AdminCmdType_Split          AdminCmdType = 10
)

type PutRequest struct {
	Cf         string
	Key, Value []byte
}

type DeleteRequest struct {
	Cf  string
	Key []byte
}

type Request struct {
	CmdType CmdType
	Put     *PutRequest
	Delete  *DeleteRequest
}

type ChangePeerRequest struct {
	ChangeType eraftpb.ConfChangeType
	Peer       *metapb.Peer
}

type SplitRequest struct {
	SplitKey    []byte
	NewRegionId uint64
	NewPeerIds  []uint64
}

type CompactLogRequest struct{ CompactIndex, CompactTerm uint64 }

type TransferLeaderRequest struct{ Peer *metapb.Peer }

type AdminRequest struct {
	CmdType        AdminCmdType
	ChangePeer     *ChangePeerRequest
	CompactLog     *CompactLogRequest
	TransferLeader *TransferLeaderRequest
	Split          *SplitRequest
}

type RaftRequestHeader struct {
	RegionId    uint64
	Peer        *metapb.Peer
	RegionEpoch *metapb.RegionEpoch
}

type RaftCmdRequest struct {
	Header       *RaftRequestHeader
	Requests     []*Request
	AdminRequest *AdminRequest
}

func (r *RaftCmdRequest) Marshal() ([]byte, error)    { return json.Marshal(r) }
func (r *RaftCmdRequest) Unmarshal(data []byte) error { return json.Unmarshal(data, r) }

type RaftResponseHeader struct{ Error *errorpb.Error }

type RaftCmdResponse struct{ Header *RaftResponseHeader }
