package raftstore

import (
	"bytes"

	"github.com/pingcap-incubator/tinykv/kv/raftstore/message"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/runner"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

// bug is laid in when it is linked: what is wrong with these stores.
var bug string

// refuses is why a request does not fit the region as it is.
func (d *peerMsgHandler) refuses(request *raft_cmdpb.RaftCmdRequest) string {
	epoch, own, admin := request.Header.RegionEpoch, d.Region().RegionEpoch, request.AdminRequest
	switch {
	case admin != nil && admin.CompactLog != nil:
		return ""
	case (admin == nil || admin.ChangePeer == nil) && epoch.Version != own.Version:
		return "epoch not match"
	case admin != nil && epoch.ConfVer != own.ConfVer:
		return "epoch not match"
	case admin != nil && admin.Split != nil && (!d.has(admin.Split.SplitKey) || bytes.Equal(admin.Split.SplitKey, d.Region().StartKey)):
		return "key not in region"
	case admin != nil && admin.Split != nil && len(admin.Split.NewPeerIds) != len(d.Region().Peers):
		return "an id for each peer"
	}
	for _, r := range request.Requests {
		if r.Put != nil && !d.has(r.Put.Key) || r.Delete != nil && !d.has(r.Delete.Key) {
			return "key not in region"
		}
	}
	return ""
}

func (d *peerMsgHandler) has(key []byte) bool {
	return bytes.Compare(d.Region().StartKey, key) <= 0 && !engine_util.ExceedEndKey(key, d.Region().EndKey)
}

// apply lets an entry take effect: one batch has its effect, and that it was applied.
func (d *peerMsgHandler) apply(e *eraftpb.Entry) {
	wb := new(engine_util.WriteBatch)
	d.peerStorage.applyState.AppliedIndex = e.Index
	var behind func()
	why := ""
	if len(e.Data) > 0 {
		data := e.Data
		change := new(eraftpb.ConfChange)
		if e.EntryType == eraftpb.EntryType_EntryConfChange {
			must(change.Unmarshal(e.Data))
			data = change.Context
		}
		request := new(raft_cmdpb.RaftCmdRequest)
		must(request.Unmarshal(data))
		why = d.refuses(request)
		if bug == "ignores_epoch" && request.AdminRequest == nil {
			why = ""
		}
		if why == "" {
			behind = d.execute(request, change, wb)
		}
	}
	if bug != "forgets_applied" {
		must(wb.SetMeta(meta.ApplyStateKey(d.regionId), d.peerStorage.applyState))
	}
	must(d.ctx.engine.WriteKV(wb))
	if behind != nil {
		behind()
	}
	if cb := d.proposals[e.Index]; cb != nil {
		delete(d.proposals, e.Index)
		if cb.Done(&raft_cmdpb.RaftCmdResponse{}); why != "" {
			cb.Done(errResp(why))
		}
	}
}

// execute writes what a request does, and returns what is to be done once that is on the disk.
func (d *peerMsgHandler) execute(request *raft_cmdpb.RaftCmdRequest, change *eraftpb.ConfChange, wb *engine_util.WriteBatch) func() {
	for _, r := range request.Requests {
		if r.Put != nil {
			wb.SetCF(r.Put.Cf, r.Put.Key, r.Put.Value)
		} else if r.Delete != nil {
			wb.DeleteCF(r.Delete.Cf, r.Delete.Key)
		}
	}
	switch admin := request.AdminRequest; {
	case admin == nil:
		return nil
	case admin.ChangePeer != nil:
		return d.changePeer(admin.ChangePeer, change, wb)
	case admin.Split != nil:
		return d.split(admin.Split, wb)
	case admin.CompactLog != nil:
		return d.compact(admin.CompactLog)
	}
	return nil
}

// copied is a region that may be changed: others hold the one that is.
func copied(r *metapb.Region) *metapb.Region {
	epoch := *r.RegionEpoch
	return &metapb.Region{
		Id: r.Id, StartKey: r.StartKey, EndKey: r.EndKey, RegionEpoch: &epoch, Peers: append([]*metapb.Peer{}, r.Peers...),
	}
}

func (d *peerMsgHandler) changePeer(change *raft_cmdpb.ChangePeerRequest, cc *eraftpb.ConfChange, wb *engine_util.WriteBatch) func() {
	region, who := copied(d.Region()), change.Peer
	region.RegionEpoch.ConfVer++
	if change.ChangeType == eraftpb.ConfChangeType_AddNode {
		region.Peers = append(region.Peers, who)
	} else {
		left := []*metapb.Peer{}
		for _, p := range region.Peers {
			if p.Id != who.Id {
				left = append(left, p)
			}
		}
		region.Peers = left
	}
	meta.WriteRegionState(wb, region, rspb.PeerState_Normal)
	return func() {
		d.setRegion(region)
		if change.ChangeType == eraftpb.ConfChangeType_RemoveNode && who.Id == d.PeerId() && bug != "keeps_removed" {
			d.destroyPeer()
			return
		}
		d.RaftGroup.ApplyConfChange(*cc)
	}
}

func (d *peerMsgHandler) split(split *raft_cmdpb.SplitRequest, wb *engine_util.WriteBatch) func() {
	left, right := copied(d.Region()), copied(d.Region())
	left.RegionEpoch.Version++
	right.RegionEpoch.Version++
	left.EndKey, right.StartKey, right.Id, right.Peers = split.SplitKey, split.SplitKey, split.NewRegionId, nil
	for i, p := range left.Peers {
		right.Peers = append(right.Peers, &metapb.Peer{Id: split.NewPeerIds[i], StoreId: p.StoreId})
	}
	meta.WriteRegionState(wb, left, rspb.PeerState_Normal)
	who := memberOn(right, d.Meta.StoreId)
	// Where the child's peer came and went by messages, or a newer one is there, the split makes none.
	_, err := meta.GetRegionLocalState(d.ctx.engine.Kv, right.Id)
	is := d.ctx.router.get(right.Id)
	isNeeded := err != nil && (is == nil || is.peer.PeerId() <= who.Id)
	if isNeeded {
		meta.WriteRegionState(wb, right, rspb.PeerState_Normal)
		_, applyState := initialStates(true)
		must(wb.SetMeta(meta.ApplyStateKey(right.Id), applyState))
	}
	return func() {
		d.setRegion(left)
		if !isNeeded {
			d.ctx.regionTaskSender <- &runner.RegionTaskDestroy{RegionId: right.Id, StartKey: right.StartKey, EndKey: right.EndKey}
			return
		}
		d.begin(right, who)
	}
}

// begin makes the child's peer on this store. It campaigns where the parent leads.
func (d *peerMsgHandler) begin(right *metapb.Region, who *metapb.Peer) {
	if is := d.ctx.router.get(right.Id); is != nil {
		is.peer.stopped = true
	}
	raftState, _ := initialStates(true)
	if before, err := meta.GetRaftLocalState(d.ctx.engine.Raft, right.Id); err == nil && before.HardState.Term > raftState.HardState.Term {
		// It may have voted before it had its region.
		raftState.HardState.Term, raftState.HardState.Vote = before.HardState.Term, before.HardState.Vote
	}
	logs := new(engine_util.WriteBatch)
	must(logs.SetMeta(meta.RaftStateKey(right.Id), raftState))
	must(d.ctx.engine.WriteRaft(logs))
	p, err := newPeer(d.ctx, right, who)
	must(err)
	d.ctx.router.register(p)
	newPeerMsgHandler(p, d.ctx).setRegion(right)
	if d.IsLeader() {
		_ = p.RaftGroup.Campaign()
	}
	_ = d.ctx.router.send(right.Id, message.NewMsg(message.MsgTypeStart, nil))
	waiting := d.ctx.storeMeta.pendingVotes
	d.ctx.storeMeta.pendingVotes = nil
	for _, m := range waiting {
		if m.RegionId == right.Id {
			_ = d.ctx.router.send(right.Id, message.NewMsg(message.MsgTypeRaftMessage, m))
		} else {
			d.ctx.storeMeta.pendingVotes = append(d.ctx.storeMeta.pendingVotes, m)
		}
	}
}

func (d *peerMsgHandler) compact(c *raft_cmdpb.CompactLogRequest) func() {
	truncated := d.peerStorage.applyState.TruncatedState
	if c.CompactIndex <= truncated.Index {
		return nil
	}
	d.ctx.raftLogGCTaskSender <- &runner.RaftLogGCTask{
		Engines: d.ctx.engine, RegionID: d.regionId, StartIdx: truncated.Index, EndIdx: c.CompactIndex + 1,
	}
	d.peerStorage.applyState.TruncatedState = &rspb.RaftTruncatedState{Index: c.CompactIndex, Term: c.CompactTerm}
	return nil
}
