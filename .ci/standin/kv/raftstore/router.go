package raftstore

import (
	"errors"
	"sync"

	"github.com/pingcap-incubator/tinykv/kv/config"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/message"
	"github.com/pingcap-incubator/tinykv/proto/pkg/errorpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

type peerState struct{ peer *peer }

// router has the peers by region, and what waits for them.
type router struct {
	peers       sync.Map
	peerSender  chan message.Msg
	storeSender chan<- message.Msg
}

func newRouter(storeSender chan<- message.Msg) *router {
	return &router{peerSender: make(chan message.Msg, 4096), storeSender: storeSender}
}

func (r *router) get(region uint64) *peerState {
	if state, known := r.peers.Load(region); known {
		return state.(*peerState)
	}
	return nil
}

func (r *router) register(p *peer)        { r.peers.Store(p.regionId, &peerState{p}) }
func (r *router) close(region uint64)     { r.peers.Delete(region) }
func (r *router) sendStore(m message.Msg) { r.storeSender <- m }

func (r *router) send(region uint64, m message.Msg) error {
	if r.get(region) == nil {
		return errors.New("peer not found")
	}
	m.RegionID = region
	r.peerSender <- m
	return nil
}

type RaftstoreRouter struct{ router *router }

func NewRaftstoreRouter(r *router) *RaftstoreRouter { return &RaftstoreRouter{r} }

func (r *RaftstoreRouter) SendRaftMessage(m *rspb.RaftMessage) error {
	if r.router.send(m.RegionId, message.NewMsg(message.MsgTypeRaftMessage, m)) != nil {
		r.router.sendStore(message.NewPeerMsg(message.MsgTypeStoreRaftMessage, m.RegionId, m))
	}
	return nil
}

func (r *RaftstoreRouter) SendRaftCommand(request *raft_cmdpb.RaftCmdRequest, cb *message.Callback) error {
	return r.router.send(request.Header.RegionId, message.NewMsg(message.MsgTypeRaftCmd, &message.MsgRaftCmd{Request: request, Callback: cb}))
}

func errResp(why string) *raft_cmdpb.RaftCmdResponse {
	return &raft_cmdpb.RaftCmdResponse{Header: &raft_cmdpb.RaftResponseHeader{Error: &errorpb.Error{Message: why}}}
}

func ErrRespRegionNotFound(uint64) *raft_cmdpb.RaftCmdResponse { return errResp("region is not found") }

type storeState struct{ receiver <-chan message.Msg }

func newStoreState(*config.Config) (chan<- message.Msg, *storeState) {
	ch := make(chan message.Msg, 4096)
	return ch, &storeState{ch}
}
