// Package raftstore stands in for a student's: stores of its own under the names of the course's skeleton, so that the
// adapter is tried without the course and without anybody's solution.
package raftstore

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/pingcap-incubator/tinykv/kv/config"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/message"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/snap"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/kv/util/worker"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
	"github.com/pingcap-incubator/tinykv/scheduler/pkg/btree"
)

type regionItem struct{ region *metapb.Region }

func (r *regionItem) Less(than btree.Item) bool {
	return bytes.Compare(r.region.StartKey, than.(*regionItem).region.StartKey) < 0
}

type storeMeta struct {
	sync.RWMutex
	regionRanges *btree.BTree
	regions      map[uint64]*metapb.Region
	pendingVotes []*rspb.RaftMessage
}

func newStoreMeta() *storeMeta {
	return &storeMeta{regionRanges: btree.New(2), regions: map[uint64]*metapb.Region{}}
}

// overlap is another region of the store that shares a key.
func (m *storeMeta) overlap(region uint64, start, end []byte) *metapb.Region {
	var found *metapb.Region
	m.regionRanges.Ascend(func(item btree.Item) bool {
		r := item.(*regionItem).region
		if r.Id != region && !engine_util.ExceedEndKey(r.StartKey, end) && !engine_util.ExceedEndKey(start, r.EndKey) {
			found = r
		}
		return found == nil
	})
	return found
}

type Transport interface{ Send(*rspb.RaftMessage) error }

type GlobalContext struct {
	cfg                  *config.Config
	engine               *engine_util.Engines
	store                *metapb.Store
	storeMeta            *storeMeta
	snapMgr              *snap.SnapManager
	router               *router
	trans                Transport
	schedulerTaskSender  chan<- worker.Task
	regionTaskSender     chan<- worker.Task
	raftLogGCTaskSender  chan<- worker.Task
	splitCheckTaskSender chan<- worker.Task
	tickDriverSender     chan uint64
}

type Raftstore struct {
	ctx    *GlobalContext
	router *router
}

func (bs *Raftstore) loadPeers() ([]*peer, error) {
	peers := []*peer{}
	for _, key := range bs.ctx.engine.Kv.Keys(meta.RegionPrefix) {
		id, err := strconv.ParseUint(key[len(meta.RegionPrefix):], 10, 64)
		if err != nil {
			return nil, err
		}
		state, err := meta.GetRegionLocalState(bs.ctx.engine.Kv, id)
		if err != nil {
			return nil, err
		}
		if state.State == rspb.PeerState_Tombstone {
			continue
		}
		p, err := newPeer(bs.ctx, state.Region, memberOn(state.Region, bs.ctx.store.Id))
		if err != nil {
			return nil, err
		}
		bs.ctx.storeMeta.regions[id] = state.Region
		bs.ctx.storeMeta.regionRanges.ReplaceOrInsert(&regionItem{state.Region})
		peers = append(peers, p)
	}
	return peers, nil
}

// storeWorker takes what no peer is there for.
type storeWorker struct {
	*storeState
	ctx *GlobalContext
}

func newStoreWorker(ctx *GlobalContext, state *storeState) *storeWorker {
	return &storeWorker{state, ctx}
}

func (d *storeWorker) handleMsg(msg message.Msg) {
	if m, is := msg.Data.(*rspb.RaftMessage); is && !m.IsTombstone {
		if d.ctx.router.send(m.RegionId, message.NewMsg(message.MsgTypeRaftMessage, m)) != nil && d.mayCreate(m) {
			p, err := newPeer(d.ctx, &metapb.Region{Id: m.RegionId, RegionEpoch: &metapb.RegionEpoch{}}, m.ToPeer)
			must(err)
			d.ctx.storeMeta.regions[m.RegionId] = p.Region()
			d.ctx.router.register(p)
			_ = d.ctx.router.send(m.RegionId, message.NewMsg(message.MsgTypeRaftMessage, m))
		}
	}
}

func isVote(m *rspb.RaftMessage) bool { return m.Message.MsgType == eraftpb.MessageType_MsgRequestVote }

// isInitial says whether a message may make a peer: a vote request, or a heartbeat to whom its leader does not know.
func isInitial(m *eraftpb.Message) bool {
	return m.MsgType == eraftpb.MessageType_MsgRequestVote || m.MsgType == eraftpb.MessageType_MsgHeartbeat && m.Commit == 0
}

func (d *storeWorker) mayCreate(m *rspb.RaftMessage) bool {
	if state, err := meta.GetRegionLocalState(d.ctx.engine.Kv, m.RegionId); err == nil {
		if isStale(m.RegionEpoch, state.Region.RegionEpoch) {
			tellStale(d.ctx.trans, m, state.Region)
			return false
		}
		if m.RegionEpoch.ConfVer == state.Region.RegionEpoch.ConfVer {
			return false
		}
	}
	if !isInitial(m.Message) {
		return false
	}
	if d.ctx.storeMeta.overlap(m.RegionId, m.StartKey, m.EndKey) != nil {
		if isVote(m) {
			d.ctx.storeMeta.pendingVotes = append(d.ctx.storeMeta.pendingVotes, m)
		}
		return false
	}
	return true
}

func isStale(epoch, than *metapb.RegionEpoch) bool {
	return epoch.ConfVer < than.ConfVer || epoch.Version < than.Version
}

// tellStale lets a peer that was removed, and asks for votes, remove itself.
func tellStale(trans Transport, m *rspb.RaftMessage, region *metapb.Region) {
	if isVote(m) && memberOn(region, m.FromPeer.StoreId) == nil {
		must(trans.Send(&rspb.RaftMessage{
			RegionId: m.RegionId, FromPeer: m.ToPeer, ToPeer: m.FromPeer, RegionEpoch: region.RegionEpoch, IsTombstone: true,
		}))
	}
}

func memberOn(region *metapb.Region, store uint64) *metapb.Peer {
	for _, p := range region.Peers {
		if p.StoreId == store {
			return p
		}
	}
	return nil
}
