// Package message stands in for the course's.
package message

import "github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"

type MsgType int64

const (
	MsgTypeStart            MsgType = 1
	MsgTypeRaftMessage      MsgType = 3
	MsgTypeRaftCmd          MsgType = 4
	MsgTypeStoreRaftMessage MsgType = 101
	MsgTypeStoreStart       MsgType = 107
)

type Msg struct {
	Type     MsgType
	RegionID uint64
	Data     interface{}
}

func NewMsg(kind MsgType, data interface{}) Msg { return Msg{Type: kind, Data: data} }

func NewPeerMsg(kind MsgType, region uint64, data interface{}) Msg { return Msg{kind, region, data} }

type MsgRaftCmd struct {
	Request  *raft_cmdpb.RaftCmdRequest
	Callback *Callback
}

type Callback struct{ Resp *raft_cmdpb.RaftCmdResponse }

func NewCallback() *Callback { return &Callback{} }

func (cb *Callback) WaitResp() {}

func (cb *Callback) Done(resp *raft_cmdpb.RaftCmdResponse) {
	if cb != nil {
		cb.Resp = resp
	}
}
