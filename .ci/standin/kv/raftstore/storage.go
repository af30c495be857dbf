package raftstore

import (
	"errors"

	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/runner"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/kv/util/worker"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
	"github.com/pingcap-incubator/tinykv/raft"
)

var errNotYet = errors.New("snapshot is not made yet")

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// PeerStorage is what a peer has on the disk, as raft reads it.
type PeerStorage struct {
	region      *metapb.Region
	raftState   *rspb.RaftLocalState
	applyState  *rspb.RaftApplyState
	regionSched chan<- worker.Task
	Engines     *engine_util.Engines
	// A snapshot that was asked for.
	made chan *eraftpb.Snapshot
}

func initialStates(isMember bool) (*rspb.RaftLocalState, *rspb.RaftApplyState) {
	raftState := &rspb.RaftLocalState{HardState: &eraftpb.HardState{}}
	applyState := &rspb.RaftApplyState{TruncatedState: &rspb.RaftTruncatedState{}}
	if isMember {
		raftState.HardState.Term, raftState.HardState.Commit = meta.RaftInitLogTerm, meta.RaftInitLogIndex
		raftState.LastIndex, raftState.LastTerm = meta.RaftInitLogIndex, meta.RaftInitLogTerm
		applyState.AppliedIndex = meta.RaftInitLogIndex
		applyState.TruncatedState = &rspb.RaftTruncatedState{Index: meta.RaftInitLogIndex, Term: meta.RaftInitLogTerm}
	}
	return raftState, applyState
}

func newPeerStorage(engines *engine_util.Engines, region *metapb.Region, sched chan<- worker.Task) *PeerStorage {
	ps := &PeerStorage{region: region, regionSched: sched, Engines: engines}
	ps.raftState, ps.applyState = initialStates(len(region.Peers) > 0)
	if raftState, err := meta.GetRaftLocalState(engines.Raft, region.Id); err == nil {
		ps.raftState = raftState
	}
	if applyState, err := meta.GetApplyState(engines.Kv, region.Id); err == nil {
		ps.applyState = applyState
	}
	return ps
}

func (ps *PeerStorage) isInitialized() bool         { return len(ps.region.Peers) > 0 }
func (ps *PeerStorage) truncatedIndex() uint64      { return ps.applyState.TruncatedState.Index }
func (ps *PeerStorage) truncatedTerm() uint64       { return ps.applyState.TruncatedState.Term }
func (ps *PeerStorage) AppliedIndex() uint64        { return ps.applyState.AppliedIndex }
func (ps *PeerStorage) FirstIndex() (uint64, error) { return ps.truncatedIndex() + 1, nil }
func (ps *PeerStorage) LastIndex() (uint64, error)  { return ps.raftState.LastIndex, nil }

func (ps *PeerStorage) InitialState() (eraftpb.HardState, eraftpb.ConfState, error) {
	return *ps.raftState.HardState, *runner.ConfState(ps.region), nil
}

func (ps *PeerStorage) Entries(low, high uint64) ([]eraftpb.Entry, error) {
	if low <= ps.truncatedIndex() {
		return nil, raft.ErrCompacted
	}
	entries := []eraftpb.Entry{}
	for index := low; index < high; index++ {
		entry, err := meta.GetRaftEntry(ps.Engines.Raft, ps.region.Id, index)
		if err != nil {
			return nil, raft.ErrUnavailable
		}
		entries = append(entries, *entry)
	}
	return entries, nil
}

func (ps *PeerStorage) Term(index uint64) (uint64, error) {
	if index == ps.truncatedIndex() {
		return ps.truncatedTerm(), nil
	}
	entries, err := ps.Entries(index, index+1)
	if err != nil {
		return 0, err
	}
	return entries[0].Term, nil
}

// Snapshot is there when it is asked for the second time.
func (ps *PeerStorage) Snapshot() (eraftpb.Snapshot, error) {
	if ps.made != nil {
		select {
		case made := <-ps.made:
			ps.made = nil
			if made.Metadata.Index >= ps.truncatedIndex() {
				return *made, nil
			}
		default:
			return eraftpb.Snapshot{}, errNotYet
		}
	}
	ps.made = make(chan *eraftpb.Snapshot, 1)
	ps.regionSched <- &runner.RegionTaskGen{RegionId: ps.region.Id, Notifier: ps.made}
	return eraftpb.Snapshot{}, errNotYet
}

// Append writes entries, and removes those behind them.
func (ps *PeerStorage) Append(entries []eraftpb.Entry, wb *engine_util.WriteBatch) {
	if len(entries) == 0 {
		return
	}
	for i := range entries {
		must(wb.SetMeta(meta.RaftLogKey(ps.region.Id, entries[i].Index), &entries[i]))
	}
	last := entries[len(entries)-1]
	for index := last.Index + 1; index <= ps.raftState.LastIndex; index++ {
		wb.DeleteMeta(meta.RaftLogKey(ps.region.Id, index))
	}
	ps.raftState.LastIndex, ps.raftState.LastTerm = last.Index, last.Term
}

// ApplySnapshot puts the state of a snapshot in the place of the peer's.
func (ps *PeerStorage) ApplySnapshot(s *eraftpb.Snapshot, kv, logs *engine_util.WriteBatch) *metapb.Region {
	data := new(rspb.RaftSnapshotData)
	must(data.Unmarshal(s.Data))
	before := ps.region
	must(ClearMeta(ps.Engines, kv, logs, before.Id, ps.raftState.LastIndex))
	if ps.isInitialized() {
		ps.regionSched <- &runner.RegionTaskDestroy{RegionId: before.Id, StartKey: before.StartKey, EndKey: before.EndKey}
	}
	at := s.Metadata
	ps.raftState.LastIndex, ps.raftState.LastTerm = at.Index, at.Term
	ps.applyState = &rspb.RaftApplyState{
		AppliedIndex: at.Index, TruncatedState: &rspb.RaftTruncatedState{Index: at.Index, Term: at.Term},
	}
	ps.region = data.Region
	must(kv.SetMeta(meta.ApplyStateKey(before.Id), ps.applyState))
	meta.WriteRegionState(kv, ps.region, rspb.PeerState_Normal)
	done := make(chan bool, 1)
	ps.regionSched <- &runner.RegionTaskApply{
		RegionId: before.Id, Notifier: done, SnapMeta: at, StartKey: ps.region.StartKey, EndKey: ps.region.EndKey,
	}
	<-done
	return before
}

// SaveReadyState writes what is ready. With a snapshot it returns the region from before it.
func (ps *PeerStorage) SaveReadyState(ready *raft.Ready) *metapb.Region {
	kv, logs := new(engine_util.WriteBatch), new(engine_util.WriteBatch)
	var before *metapb.Region
	if ready.Snapshot.Metadata != nil {
		before = ps.ApplySnapshot(&ready.Snapshot, kv, logs)
	}
	ps.Append(ready.Entries, logs)
	if !raft.IsEmptyHardState(ready.HardState) {
		hard := ready.HardState
		ps.raftState.HardState = &hard
	}
	must(logs.SetMeta(meta.RaftStateKey(ps.region.Id), ps.raftState))
	must(ps.Engines.WriteKV(kv))
	must(ps.Engines.WriteRaft(logs))
	return before
}

// ClearMeta removes what a peer has beside its data.
func ClearMeta(engines *engine_util.Engines, kv, logs *engine_util.WriteBatch, region, last uint64) error {
	kv.DeleteMeta(meta.RegionStateKey(region))
	kv.DeleteMeta(meta.ApplyStateKey(region))
	for index := uint64(0); index <= last; index++ {
		logs.DeleteMeta(meta.RaftLogKey(region, index))
	}
	logs.DeleteMeta(meta.RaftStateKey(region))
	return nil
}

func PrepareBootstrapCluster(engines *engine_util.Engines, region *metapb.Region) error {
	raftState, applyState := initialStates(true)
	kv, logs := new(engine_util.WriteBatch), new(engine_util.WriteBatch)
	meta.WriteRegionState(kv, region, rspb.PeerState_Normal)
	must(kv.SetMeta(meta.ApplyStateKey(region.Id), applyState))
	must(logs.SetMeta(meta.RaftStateKey(region.Id), raftState))
	must(engines.WriteKV(kv))
	return engines.WriteRaft(logs)
}

func ClearPrepareBootstrapState(*engine_util.Engines) error { return nil }
