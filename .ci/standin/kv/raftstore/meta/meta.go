// Package meta stands in for the course's: where a store keeps what.
package meta

import (
	"fmt"

	"github.com/Connor1996/badger"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

const RaftInitLogTerm, RaftInitLogIndex = 5, 5

const RegionPrefix = "region/"

func RegionStateKey(region uint64) []byte {
	return []byte(fmt.Sprintf("%s%020d", RegionPrefix, region))
}
func ApplyStateKey(region uint64) []byte { return []byte(fmt.Sprintf("applied/%d", region)) }
func RaftStateKey(region uint64) []byte  { return []byte(fmt.Sprintf("raft/%d", region)) }
func RaftLogKey(region, index uint64) []byte {
	return []byte(fmt.Sprintf("log/%d/%d", region, index))
}

func GetRegionLocalState(db *badger.DB, region uint64) (*rspb.RegionLocalState, error) {
	state := new(rspb.RegionLocalState)
	return state, engine_util.GetMeta(db, RegionStateKey(region), state)
}

func GetRaftLocalState(db *badger.DB, region uint64) (*rspb.RaftLocalState, error) {
	state := new(rspb.RaftLocalState)
	return state, engine_util.GetMeta(db, RaftStateKey(region), state)
}

func GetApplyState(db *badger.DB, region uint64) (*rspb.RaftApplyState, error) {
	state := new(rspb.RaftApplyState)
	return state, engine_util.GetMeta(db, ApplyStateKey(region), state)
}

func GetRaftEntry(db *badger.DB, region, index uint64) (*eraftpb.Entry, error) {
	entry := new(eraftpb.Entry)
	return entry, engine_util.GetMeta(db, RaftLogKey(region, index), entry)
}

func WriteRegionState(wb *engine_util.WriteBatch, region *metapb.Region, state rspb.PeerState) {
	_ = wb.SetMeta(RegionStateKey(region.Id), &rspb.RegionLocalState{State: state, Region: region})
}
