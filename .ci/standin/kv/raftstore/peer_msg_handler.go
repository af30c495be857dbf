package raftstore

import (
	"github.com/pingcap-incubator/tinykv/kv/raftstore/message"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/runner"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
	"github.com/pingcap-incubator/tinykv/raft"
)

type peer struct {
	RaftGroup   *raft.RawNode
	peerStorage *PeerStorage
	Meta        *metapb.Peer
	regionId    uint64
	Tag         string
	proposals   map[uint64]*message.Callback
	// Members that it has heard of and its region may not list.
	peerCache map[uint64]*metapb.Peer
	stopped   bool
}

func newPeer(ctx *GlobalContext, region *metapb.Region, who *metapb.Peer) (*peer, error) {
	ps := newPeerStorage(ctx.engine, region, ctx.regionTaskSender)
	group, err := raft.NewRawNode(&raft.Config{
		ID: who.Id, ElectionTick: ctx.cfg.RaftElectionTimeoutTicks, HeartbeatTick: ctx.cfg.RaftHeartbeatTicks, Storage: ps,
		Applied: ps.AppliedIndex(),
	})
	if err != nil {
		return nil, err
	}
	p := &peer{
		RaftGroup: group, peerStorage: ps, Meta: who, regionId: region.Id, proposals: map[uint64]*message.Callback{},
		peerCache: map[uint64]*metapb.Peer{},
	}
	if len(region.Peers) == 1 && ps.isInitialized() {
		err = group.Campaign()
	}
	return p, err
}

func (p *peer) Region() *metapb.Region { return p.peerStorage.region }
func (p *peer) PeerId() uint64         { return p.Meta.Id }
func (p *peer) isInitialized() bool    { return p.peerStorage.isInitialized() }
func (p *peer) IsLeader() bool         { return p.RaftGroup.Raft.State == raft.StateLeader }

func (p *peer) member(id uint64) *metapb.Peer {
	for _, m := range p.Region().Peers {
		if m.Id == id {
			return m
		}
	}
	return p.peerCache[id]
}

func (p *peer) send(trans Transport, messages []eraftpb.Message) {
	for i := range messages {
		to := p.member(messages[i].To)
		if to == nil {
			continue
		}
		epoch := *p.Region().RegionEpoch
		m := &rspb.RaftMessage{RegionId: p.regionId, FromPeer: p.Meta, ToPeer: to, RegionEpoch: &epoch, Message: &messages[i]}
		if isInitial(&messages[i]) {
			m.StartKey, m.EndKey = p.Region().StartKey, p.Region().EndKey
		}
		must(trans.Send(m))
	}
}

type peerMsgHandler struct {
	*peer
	ctx *GlobalContext
}

func newPeerMsgHandler(p *peer, ctx *GlobalContext) *peerMsgHandler { return &peerMsgHandler{p, ctx} }

func (d *peerMsgHandler) HandleMsg(msg message.Msg) {
	switch msg.Type {
	case message.MsgTypeRaftMessage:
		d.onRaftMsg(msg.Data.(*rspb.RaftMessage))
	case message.MsgTypeRaftCmd:
		cmd := msg.Data.(*message.MsgRaftCmd)
		d.propose(cmd.Request, cmd.Callback)
	}
}

func (d *peerMsgHandler) onRaftMsg(m *rspb.RaftMessage) {
	region := d.Region()
	switch {
	case d.stopped || m.ToPeer.StoreId != d.Meta.StoreId:
	case m.IsTombstone:
		if isStale(region.RegionEpoch, m.RegionEpoch) && m.ToPeer.Id == d.PeerId() {
			d.destroyPeer()
		}
	case isStale(m.RegionEpoch, region.RegionEpoch) && memberOn(region, m.FromPeer.StoreId) == nil:
		tellStale(d.ctx.trans, m, region)
	case m.ToPeer.Id < d.PeerId():
	case m.ToPeer.Id > d.PeerId():
		d.destroyPeer()
		d.ctx.router.sendStore(message.NewMsg(message.MsgTypeStoreRaftMessage, m))
	case m.Message.Snapshot != nil && d.isInTheWay(m.Message.Snapshot):
	default:
		d.peerCache[m.FromPeer.Id] = m.FromPeer
		_ = d.RaftGroup.Step(*m.Message)
	}
}

// isInTheWay says whether a snapshot would take another region's keys, or does not list the peer.
func (d *peerMsgHandler) isInTheWay(s *eraftpb.Snapshot) bool {
	data := new(rspb.RaftSnapshotData)
	must(data.Unmarshal(s.Data))
	is := memberOn(data.Region, d.Meta.StoreId)
	return is == nil || is.Id != d.PeerId() || d.ctx.storeMeta.overlap(d.regionId, data.Region.StartKey, data.Region.EndKey) != nil
}

func (d *peerMsgHandler) HandleRaftReady() {
	if d.stopped || !d.RaftGroup.HasReady() {
		return
	}
	ready := d.RaftGroup.Ready()
	if before := d.peerStorage.SaveReadyState(&ready); before != nil {
		if len(before.Peers) > 0 {
			d.ctx.storeMeta.regionRanges.Delete(&regionItem{before})
		}
		d.setRegion(d.Region())
	}
	d.send(d.ctx.trans, ready.Messages)
	for i := range ready.CommittedEntries {
		d.apply(&ready.CommittedEntries[i])
		if d.stopped {
			return
		}
	}
	d.RaftGroup.Advance(ready)
}

// setRegion takes a region for the peer's, which nobody changes any more.
func (d *peerMsgHandler) setRegion(region *metapb.Region) {
	d.peerStorage.region = region
	d.ctx.storeMeta.regions[region.Id] = region
	d.ctx.storeMeta.regionRanges.ReplaceOrInsert(&regionItem{region})
}

// destroyPeer leaves a tombstone with the region as it is, and nothing else.
func (d *peerMsgHandler) destroyPeer() {
	kv, logs, region := new(engine_util.WriteBatch), new(engine_util.WriteBatch), d.Region()
	if !d.isInitialized() {
		// What is known of an earlier peer's end must not be forgotten.
		if state, err := meta.GetRegionLocalState(d.ctx.engine.Kv, d.regionId); err == nil {
			region = state.Region
		} else {
			region.Peers = []*metapb.Peer{d.Meta}
		}
	}
	must(ClearMeta(d.ctx.engine, kv, logs, d.regionId, d.peerStorage.raftState.LastIndex))
	meta.WriteRegionState(kv, region, rspb.PeerState_Tombstone)
	must(d.ctx.engine.WriteKV(kv))
	must(d.ctx.engine.WriteRaft(logs))
	if d.isInitialized() {
		d.ctx.regionTaskSender <- &runner.RegionTaskDestroy{RegionId: d.regionId, StartKey: region.StartKey, EndKey: region.EndKey}
		d.ctx.storeMeta.regionRanges.Delete(&regionItem{region})
	}
	for _, cb := range d.proposals {
		cb.Done(ErrRespRegionNotFound(d.regionId))
	}
	d.stopped = true
	d.ctx.router.close(d.regionId)
	delete(d.ctx.storeMeta.regions, d.regionId)
}

// mayPropose is why a leader does not take a request.
func (d *peerMsgHandler) mayPropose(request *raft_cmdpb.RaftCmdRequest) string {
	if !d.IsLeader() {
		return "not leader"
	}
	if why := d.refuses(request); why != "" {
		return why
	}
	admin := request.AdminRequest
	if admin == nil || admin.ChangePeer == nil {
		return ""
	}
	on := memberOn(d.Region(), admin.ChangePeer.Peer.StoreId)
	isThere := on != nil && on.Id == admin.ChangePeer.Peer.Id
	switch {
	case admin.ChangePeer.ChangeType == eraftpb.ConfChangeType_AddNode && on != nil:
		return "the store has a peer"
	case admin.ChangePeer.ChangeType == eraftpb.ConfChangeType_RemoveNode && !isThere:
		return "there is no such peer"
	case admin.ChangePeer.ChangeType == eraftpb.ConfChangeType_RemoveNode && isThere && on.Id == d.PeerId() && len(d.Region().Peers) <= 2:
		return "a leader of two does not remove itself"
	}
	return ""
}

func (d *peerMsgHandler) propose(request *raft_cmdpb.RaftCmdRequest, cb *message.Callback) {
	if why := d.mayPropose(request); why != "" {
		cb.Done(errResp(why))
		return
	}
	data, err := request.Marshal()
	must(err)
	admin := request.AdminRequest
	switch {
	case admin != nil && admin.TransferLeader != nil:
		d.RaftGroup.TransferLeader(admin.TransferLeader.Peer.Id)
		cb.Done(&raft_cmdpb.RaftCmdResponse{})
		return
	case admin != nil && admin.ChangePeer != nil:
		change := admin.ChangePeer
		err = d.RaftGroup.ProposeConfChange(eraftpb.ConfChange{ChangeType: change.ChangeType, NodeId: change.Peer.Id, Context: data})
	default:
		err = d.RaftGroup.Propose(data)
	}
	if err != nil {
		cb.Done(errResp(err.Error()))
		return
	}
	d.proposals[d.RaftGroup.Raft.RaftLog.LastIndex()] = cb
}
