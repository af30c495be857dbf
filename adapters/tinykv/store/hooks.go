// Laid inside the course's package kv/raftstore by `go build -overlay`: a store without its goroutines. What the
// raft worker does in a loop, handle messages and then what is ready, is done here step by step and in order. Every
// name is one of the public skeleton's. Nothing of the package is changed.

package raftstore

import (
	"fmt"
	"sort"

	"github.com/pingcap-incubator/tinykv/kv/config"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/message"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/runner"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/snap"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/kv/util/worker"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
	"github.com/pingcap-incubator/tinykv/raft"
	"github.com/pingcap-incubator/tinykv/scheduler/pkg/btree"
)

// queue is how many messages or tasks may wait within one step.
const queue = 4096

// AdapterStore is a store whose loop somebody else turns.
type AdapterStore struct {
	ctx    *GlobalContext
	worker *storeWorker
	// What the store has sent to others of its parts, which nothing here runs by itself.
	regionTasks, gcTasks, dropped chan worker.Task
	ticks                         chan uint64
}

// NewAdapterStore starts a store from its disk.
func NewAdapterStore(id uint64, cfg *config.Config, engines *engine_util.Engines, snaps *snap.SnapManager, trans Transport) (*AdapterStore, error) {
	sender, state := newStoreState(cfg)
	s := &AdapterStore{
		regionTasks: make(chan worker.Task), gcTasks: make(chan worker.Task, queue), dropped: make(chan worker.Task, queue),
		ticks: make(chan uint64, queue),
	}
	s.ctx = &GlobalContext{
		cfg: cfg, engine: engines, store: &metapb.Store{Id: id}, storeMeta: newStoreMeta(), snapMgr: snaps,
		router: newRouter(sender), trans: trans, schedulerTaskSender: s.dropped, regionTaskSender: s.regionTasks,
		raftLogGCTaskSender: s.gcTasks, splitCheckTaskSender: s.dropped, tickDriverSender: s.ticks,
	}
	s.worker = newStoreWorker(s.ctx, state)
	// A peer waits for its snapshot to be applied, so somebody else has to do that.
	go func() {
		handler := runner.NewRegionTaskHandler(engines, snaps)
		for task := range s.regionTasks {
			if done, isBarrier := task.(chan struct{}); isBarrier {
				close(done)
			} else {
				handler.Handle(task)
			}
		}
	}()
	peers, err := (&Raftstore{ctx: s.ctx, router: s.ctx.router}).loadPeers()
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		s.ctx.router.register(p)
	}
	s.worker.handleMsg(message.NewMsg(message.MsgTypeStoreStart, s.ctx.store))
	for _, p := range peers {
		_ = s.ctx.router.send(p.regionId, message.NewPeerMsg(message.MsgTypeStart, p.regionId, nil))
	}
	s.settle()
	return s, nil
}

// Stop ends it as a crash does: nothing more is written.
func (s *AdapterStore) Stop() { close(s.regionTasks) }

// settle is the loop of the workers, until nothing is left to do.
func (s *AdapterStore) settle() {
	for worked := true; worked; {
		worked = false
		select {
		case msg := <-s.worker.receiver:
			s.worker.handleMsg(msg)
			worked = true
		case msg := <-s.ctx.router.peerSender:
			if state := s.ctx.router.get(msg.RegionID); state != nil {
				h := newPeerMsgHandler(state.peer, s.ctx)
				h.HandleMsg(msg)
				h.HandleRaftReady()
			}
			worked = true
		default:
		}
		s.runTasks()
	}
	// A tick would come at last and find what is ready without a message.
	for _, p := range s.peers() {
		if p.RaftGroup.HasReady() {
			newPeerMsgHandler(p, s.ctx).HandleRaftReady()
			s.runTasks()
		}
	}
	if len(s.worker.receiver)+len(s.ctx.router.peerSender) > 0 {
		s.settle()
	}
}

// runTasks waits for the region's tasks, and does the log's.
func (s *AdapterStore) runTasks() {
	done := make(chan struct{})
	s.regionTasks <- done
	<-done
	for {
		select {
		case task := <-s.gcTasks:
			runner.NewRaftLogGCTaskHandler().Handle(task)
		case <-s.dropped:
		case <-s.ticks:
		default:
			return
		}
	}
}

// peers are those of the store, by region.
func (s *AdapterStore) peers() []*peer {
	peers := []*peer{}
	s.ctx.router.peers.Range(func(_, state interface{}) bool {
		peers = append(peers, state.(*peerState).peer)
		return true
	})
	sort.Slice(peers, func(i, j int) bool { return peers[i].regionId < peers[j].regionId })
	return peers
}

func (s *AdapterStore) peer(region uint64) *peer {
	if state := s.ctx.router.get(region); state != nil {
		return state.peer
	}
	return nil
}

// do lets something happen to a peer as a message would.
func (s *AdapterStore) do(region uint64, what func(*peer)) {
	p := s.peer(region)
	if p == nil {
		return
	}
	what(p)
	newPeerMsgHandler(p, s.ctx).HandleRaftReady()
	s.runTasks()
	s.settle()
}

// Take is a message of another store.
func (s *AdapterStore) Take(msg *rspb.RaftMessage) {
	_ = NewRaftstoreRouter(s.ctx.router).SendRaftMessage(msg)
	s.settle()
}

// Ask is a request of a client. Without an answer it waits for its entry.
func (s *AdapterStore) Ask(request *raft_cmdpb.RaftCmdRequest) *raft_cmdpb.RaftCmdResponse {
	cb := message.NewCallback()
	if NewRaftstoreRouter(s.ctx.router).SendRaftCommand(request, cb) != nil {
		return ErrRespRegionNotFound(request.Header.RegionId)
	}
	// A client waits: who answers twice must not wait for it.
	go cb.WaitResp()
	s.settle()
	return cb.Resp
}

// Campaign is an election timeout.
func (s *AdapterStore) Campaign(region uint64) {
	s.do(region, func(p *peer) { _ = p.RaftGroup.Campaign() })
}

// Probe lets a leader send what follows next.
func (s *AdapterStore) Probe(region, to, next uint64, one bool) {
	s.do(region, func(p *peer) { p.RaftGroup.AdapterProbe(to, next, one) })
}

// Beat lets a leader send heartbeats.
func (s *AdapterStore) Beat(region, to uint64) {
	s.do(region, func(p *peer) { _ = p.RaftGroup.AdapterBeat(to) })
}

// Tick is time that goes by for a peer's raft alone.
func (s *AdapterStore) Tick(region uint64) {
	s.do(region, func(p *peer) { p.RaftGroup.Tick() })
}

// AdapterPeer is what there is to see of a peer.
type AdapterPeer struct {
	raft.AdapterStatus
	Region *metapb.Region
	// A tombstone is on the disk, a newcomer knows no members yet; both, and it comes behind a tombstone.
	IsTombstone, IsNewcomer bool
	Truncated               [2]uint64
	// The terms of the entries behind it.
	Terms []uint64
	Data  map[string][]byte
}

// Peer looks at a region's peer, as it runs or as it lies on the disk.
func (s *AdapterStore) Peer(region uint64) (*AdapterPeer, error) {
	p := s.peer(region)
	if p == nil {
		return AdapterOnDisk(s.ctx.engine, region)
	}
	seen := &AdapterPeer{AdapterStatus: p.RaftGroup.AdapterStatus(), Region: p.Region(), IsNewcomer: !p.isInitialized()}
	seen.ID = p.PeerId()
	seen.Applied = p.peerStorage.AppliedIndex()
	seen.Truncated = [2]uint64{p.peerStorage.truncatedIndex(), p.peerStorage.truncatedTerm()}
	for index := seen.Truncated[0] + 1; index <= seen.Last; index++ {
		term, err := p.RaftGroup.Raft.RaftLog.Term(index)
		if err != nil {
			// The log may have forgotten what the storage still has.
			term, err = p.peerStorage.Term(index)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the log's term at %d, of %d to %d: %v", p.Tag, index, seen.Truncated[0], seen.Last, err)
		}
		seen.Terms = append(seen.Terms, term)
	}
	if state, err := meta.GetRegionLocalState(s.ctx.engine.Kv, region); err == nil {
		seen.IsTombstone = state.State == rspb.PeerState_Tombstone
	}
	if !seen.IsNewcomer {
		seen.Data = dataOf(s.ctx.engine, seen.Region)
	}
	return seen, nil
}

// Ranges is the store's own index of ranges.
func (s *AdapterStore) Ranges() []*metapb.Region {
	ranges := []*metapb.Region{}
	s.ctx.storeMeta.regionRanges.Ascend(func(item btree.Item) bool {
		ranges = append(ranges, item.(*regionItem).region)
		return true
	})
	return ranges
}

// AdapterOnDisk is what a store that does not run has of a region: nil for nothing.
func AdapterOnDisk(engines *engine_util.Engines, region uint64) (*AdapterPeer, error) {
	state, err := meta.GetRegionLocalState(engines.Kv, region)
	if err != nil {
		return nil, nil
	}
	seen := &AdapterPeer{Region: state.Region, IsTombstone: state.State == rspb.PeerState_Tombstone}
	seen.Role = "follower"
	if disk, err := meta.GetRaftLocalState(engines.Raft, region); err == nil {
		seen.Last = disk.LastIndex
		if hard := disk.HardState; hard != nil {
			seen.Term, seen.Vote, seen.Commit = hard.Term, hard.Vote, hard.Commit
		}
	}
	if applied, err := meta.GetApplyState(engines.Kv, region); err == nil {
		seen.Applied = applied.AppliedIndex
		seen.Truncated = [2]uint64{applied.TruncatedState.Index, applied.TruncatedState.Term}
	}
	for index := seen.Truncated[0] + 1; index <= seen.Last; index++ {
		entry, err := meta.GetRaftEntry(engines.Raft, region, index)
		if err != nil {
			return nil, fmt.Errorf("region %d: the disk has no entry %d, of %d to %d", region, index, seen.Truncated[0], seen.Last)
		}
		seen.Terms = append(seen.Terms, entry.Term)
	}
	seen.Data = dataOf(engines, seen.Region)
	return seen, nil
}

func dataOf(engines *engine_util.Engines, region *metapb.Region) map[string][]byte {
	data := map[string][]byte{}
	txn := engines.Kv.NewTransaction(false)
	defer txn.Discard()
	it := engine_util.NewCFIterator(engine_util.CfDefault, txn)
	defer it.Close()
	for it.Seek(region.StartKey); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if engine_util.ExceedEndKey(key, region.EndKey) {
			break
		}
		if value, err := it.Item().ValueCopy(nil); err == nil {
			data[string(key)] = value
		}
	}
	return data
}

// AdapterBootstrap writes what a store begins with.
func AdapterBootstrap(engines *engine_util.Engines, region *metapb.Region) error {
	if err := PrepareBootstrapCluster(engines, region); err != nil {
		return err
	}
	return ClearPrepareBootstrapState(engines)
}

// AdapterWipe makes an engine empty: all data, and what these regions have, up to an index.
func AdapterWipe(engines *engine_util.Engines, regions []uint64, last uint64) error {
	if err := engine_util.DeleteRange(engines.Kv, nil, nil); err != nil {
		return err
	}
	for _, region := range regions {
		kv, logs := new(engine_util.WriteBatch), new(engine_util.WriteBatch)
		if err := ClearMeta(engines, kv, logs, region, last); err != nil {
			return err
		}
		if err := engines.WriteKV(kv); err != nil {
			return err
		}
		if err := engines.WriteRaft(logs); err != nil {
			return err
		}
	}
	return nil
}
