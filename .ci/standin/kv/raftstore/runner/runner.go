// Package runner stands in for the course's: what a store lets others of its parts do.
package runner

import (
	"encoding/json"

	"github.com/pingcap-incubator/tinykv/kv/raftstore/meta"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/snap"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/kv/util/worker"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

type RegionTaskGen struct {
	RegionId uint64
	Notifier chan<- *eraftpb.Snapshot
}

type RegionTaskApply struct {
	RegionId         uint64
	Notifier         chan<- bool
	SnapMeta         *eraftpb.SnapshotMetadata
	StartKey, EndKey []byte
}

type RegionTaskDestroy struct {
	RegionId         uint64
	StartKey, EndKey []byte
}

type regionTaskHandler struct {
	engines *engine_util.Engines
	snaps   *snap.SnapManager
}

func NewRegionTaskHandler(engines *engine_util.Engines, snaps *snap.SnapManager) *regionTaskHandler {
	return &regionTaskHandler{engines, snaps}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (r *regionTaskHandler) Handle(task worker.Task) {
	switch t := task.(type) {
	case *RegionTaskGen:
		t.Notifier <- r.generate(t.RegionId)
	case *RegionTaskApply:
		r.apply(t)
		t.Notifier <- true
	case *RegionTaskDestroy:
		must(engine_util.DeleteRange(r.engines.Kv, t.StartKey, t.EndKey))
	}
}

func (r *regionTaskHandler) generate(region uint64) *eraftpb.Snapshot {
	state, err := meta.GetRegionLocalState(r.engines.Kv, region)
	must(err)
	applied, err := meta.GetApplyState(r.engines.Kv, region)
	must(err)
	at := &eraftpb.SnapshotMetadata{Index: applied.AppliedIndex, Term: applied.TruncatedState.Term, ConfState: ConfState(state.Region)}
	if at.Index > applied.TruncatedState.Index {
		entry, err := meta.GetRaftEntry(r.engines.Raft, region, at.Index)
		must(err)
		at.Term = entry.Term
	}
	data := map[string][]byte{}
	it := engine_util.NewCFIterator(engine_util.CfDefault, r.engines.Kv.NewTransaction(false))
	for it.Seek(state.Region.StartKey); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if engine_util.ExceedEndKey(key, state.Region.EndKey) {
			break
		}
		data[string(key)], _ = it.Item().ValueCopy(nil)
	}
	body, err := json.Marshal(data)
	must(err)
	r.snaps.Build(snap.SnapKey{RegionID: region, Term: at.Term, Index: at.Index}, body)
	head, err := (&rspb.RaftSnapshotData{Region: state.Region}).Marshal()
	must(err)
	return &eraftpb.Snapshot{Data: head, Metadata: at}
}

func (r *regionTaskHandler) apply(t *RegionTaskApply) {
	must(engine_util.DeleteRange(r.engines.Kv, t.StartKey, t.EndKey))
	body, err := r.snaps.Received(snap.SnapKey{RegionID: t.RegionId, Term: t.SnapMeta.Term, Index: t.SnapMeta.Index})
	must(err)
	data := map[string][]byte{}
	must(json.Unmarshal(body, &data))
	wb := new(engine_util.WriteBatch)
	for key, value := range data {
		wb.SetCF(engine_util.CfDefault, []byte(key), value)
	}
	must(r.engines.WriteKV(wb))
}

func ConfState(region *metapb.Region) *eraftpb.ConfState {
	conf := new(eraftpb.ConfState)
	for _, p := range region.Peers {
		conf.Nodes = append(conf.Nodes, p.Id)
	}
	return conf
}

type RaftLogGCTask struct {
	Engines                    *engine_util.Engines
	RegionID, StartIdx, EndIdx uint64
}

type raftLogGCTaskHandler struct{}

func NewRaftLogGCTaskHandler() *raftLogGCTaskHandler { return &raftLogGCTaskHandler{} }

func (*raftLogGCTaskHandler) Handle(task worker.Task) {
	t, wb := task.(*RaftLogGCTask), new(engine_util.WriteBatch)
	for index := t.StartIdx; index < t.EndIdx; index++ {
		wb.DeleteMeta(meta.RaftLogKey(t.RegionID, index))
	}
	must(t.Engines.WriteRaft(wb))
}
