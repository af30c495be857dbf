package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"

	"github.com/pingcap-incubator/tinykv/kv/config"
	"github.com/pingcap-incubator/tinykv/kv/raftstore"
	"github.com/pingcap-incubator/tinykv/kv/raftstore/snap"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
)

// world is a cluster: stores, and what is under way between them.
type world struct {
	disks   *disks
	engines map[uint64]*engine_util.Engines
	snaps   map[uint64]*snap.SnapManager
	// Nil for a store that is down.
	stores map[uint64]*raftstore.AdapterStore
	order  []uint64
	net    *network
	// The peer that a store had last of a region: a tombstone does not name it.
	had map[link]uint64
	// What was proposed, by its place in a log.
	proposed map[place]entry
	nextID   uint64
	seen     []byte
}

// link is a region's, from a store to another, or a store's alone.
type link struct{ region, from, to uint64 }

type place struct{ region, index, term uint64 }

func begin(s *scope, d *disks) *world {
	w := &world{
		disks: d, engines: map[uint64]*engine_util.Engines{}, snaps: map[uint64]*snap.SnapManager{},
		stores: map[uint64]*raftstore.AdapterStore{}, order: s.Stores, net: newNetwork(), had: map[link]uint64{},
		proposed: map[place]entry{}, nextID: s.NextID,
	}
	if w.nextID == 0 {
		w.nextID = 1000
	}
	for _, r := range s.Regions {
		for _, m := range r.Peers {
			if m.Role != "voter" {
				refuse("TinyKV has voters alone")
			}
		}
	}
	for _, store := range s.Stores {
		w.engines[store] = d.empty(store)
		// Files of the run before may have the same names.
		snaps := filepath.Join(d.folder, name(store), "snap")
		must(os.RemoveAll(snaps))
		must(os.MkdirAll(snaps, os.ModePerm))
		w.snaps[store] = snap.NewSnapManager(snaps)
		must(w.snaps[store].Init())
	}
	for _, r := range s.Regions {
		d.regions[r.ID] = true
		for _, m := range r.Peers {
			must(raftstore.AdapterBootstrap(w.engines[m.Store], r.toMeta()))
		}
	}
	for _, store := range s.Stores {
		w.start(store)
	}
	return w
}

func (w *world) start(store uint64) {
	cfg := config.NewTestConfig()
	cfg.DBPath = filepath.Join(w.disks.folder, name(store))
	started, err := raftstore.NewAdapterStore(store, cfg, w.engines[store], w.snaps[store], w.net)
	must(err)
	w.stores[store] = started
}

func (w *world) end() {
	for _, store := range w.order {
		if w.stores[store] != nil {
			w.stores[store].Stop()
		}
	}
}

// up is a store that runs.
func (w *world) up(store uint64) *raftstore.AdapterStore {
	s := w.stores[store]
	if s == nil {
		refuse("store %d does not run", store)
	}
	return s
}

// peer is one that lives.
func (w *world) peer(store, region uint64) *raftstore.AdapterPeer {
	p, err := w.up(store).Peer(region)
	must(err)
	if p == nil || p.ID == 0 {
		refuse("store %d has no peer of region %d", store, region)
	}
	return p
}

func (w *world) leader(store, region uint64) *raftstore.AdapterPeer {
	p := w.peer(store, region)
	if p.Role != "leader" {
		refuse("the peer on store %d does not lead", store)
	}
	return p
}

// look is the whole view.
func (w *world) look() view {
	v := view{map[uint64]*storeView{}}
	for _, store := range w.order {
		v.Stores[store] = w.lookAt(store)
	}
	said, err := json.Marshal(v)
	must(err)
	w.seen = said
	return v
}

func (w *world) lookAt(store uint64) *storeView {
	s, running := w.stores[store], w.stores[store] != nil
	v := &storeView{Status: "down", Peers: map[uint64]*peerView{}}
	ranges := []*metapb.Region{}
	if running {
		v.Status, ranges = "up", s.Ranges()
	}
	peers := map[uint64]*raftstore.AdapterPeer{}
	for _, region := range ids(w.disks.regions) {
		var p *raftstore.AdapterPeer
		var err error
		if running {
			p, err = s.Peer(region)
		} else {
			p, err = raftstore.AdapterOnDisk(w.engines[store], region)
		}
		must(err)
		if p == nil {
			continue
		}
		peers[region] = p
		if p.Last > w.disks.last {
			w.disks.last = p.Last
		}
		if p.ID == 0 {
			p.ID = w.had[link{region: region, from: store}]
		}
		w.had[link{region: region, from: store}] = p.ID
		if !running && !p.IsTombstone {
			ranges = append(ranges, p.Region)
		}
	}
	if !running {
		sort.Slice(ranges, func(i, j int) bool { return bytes.Compare(ranges[i].StartKey, ranges[j].StartKey) < 0 })
	}
	for region, p := range peers {
		v.Peers[region] = w.peerView(store, region, p, ranges)
	}
	for _, r := range ranges {
		v.Ranges = append(v.Ranges, rangeView{r.StartKey, r.EndKey, r.Id})
	}
	return v
}

func (w *world) peerView(store, region uint64, p *raftstore.AdapterPeer, ranges []*metapb.Region) *peerView {
	v := &peerView{
		ID: p.ID, State: "normal", Role: p.Role, Term: p.Term, Vote: p.Vote, Leader: p.Lead, Commit: p.Commit,
		Applied: p.Applied, Region: regionOf(p.Region), Data: map[string]hexed{},
	}
	switch {
	case p.IsNewcomer:
		v.State, v.ReplacesTombstone = "uninitialised", p.IsTombstone
	case p.IsTombstone:
		v.State = "tombstone"
	}
	v.Log.Truncated = position{p.Truncated[0], p.Truncated[1]}
	for i, term := range p.Terms {
		e, known := w.proposed[place{region, p.Truncated[0] + 1 + uint64(i), term}]
		if !known {
			e = entry{Term: term}
		}
		v.Log.Entries = append(v.Log.Entries, e)
	}
	for key, value := range p.Data {
		// A tombstone's range may be another region's by now.
		if v.State != "tombstone" || !covered([]byte(key), ranges) {
			v.Data[hex.EncodeToString([]byte(key))] = value
		}
	}
	switch p.Role {
	case "candidate":
		at := position{Index: p.Commit, Term: p.Truncated[1]}
		if p.Commit > p.Truncated[0] {
			at.Term = p.Terms[p.Commit-p.Truncated[0]-1]
		}
		v.Campaign = &campaignView{Commit: at, Granted: []uint64{}}
		granted, rejected := map[uint64]bool{}, map[uint64]bool{}
		for id, vote := range p.Votes {
			if vote {
				granted[id] = true
			} else {
				rejected[id] = true
			}
		}
		v.Campaign.Granted, v.Campaign.Rejected = ids(granted), ids(rejected)
	case "leader":
		v.Leading = &leadingView{Matched: p.Matched, PendingConfIndex: p.PendingChange}
		if p.Transferee != 0 {
			v.Leading.Transfer = &transferView{p.Transferee, w.net.timeouts[link{region: region, from: store}] != nil}
		}
	}
	return v
}
