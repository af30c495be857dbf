package main

import (
	"bytes"
	"io"
	"sort"
	"strconv"

	"github.com/pingcap-incubator/tinykv/kv/raftstore/snap"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

// network keeps what the stores send. An action decides which of it arrives.
type network struct {
	// What was sent since somebody looked.
	sent []*rspb.RaftMessage
	// Vote requests, and orders to campaign by their sender: an action of their own delivers them.
	votes, timeouts map[link]*rspb.RaftMessage
	// What a leader has last sent to a follower.
	kept map[link][]*rspb.RaftMessage
}

func newNetwork() *network {
	return &network{votes: map[link]*rspb.RaftMessage{}, timeouts: map[link]*rspb.RaftMessage{}, kept: map[link][]*rspb.RaftMessage{}}
}

// Send is the Transport of the stores. A copy travels, as by a wire.
func (n *network) Send(m *rspb.RaftMessage) error {
	body, err := m.Marshal()
	must(err)
	copied := new(rspb.RaftMessage)
	must(copied.Unmarshal(body))
	at := link{m.RegionId, m.FromPeer.StoreId, m.ToPeer.StoreId}
	switch {
	case m.IsTombstone:
		n.sent = append(n.sent, copied)
	case m.Message.MsgType == eraftpb.MessageType_MsgRequestVote:
		n.votes[at] = copied
	case m.Message.MsgType == eraftpb.MessageType_MsgTimeoutNow:
		n.timeouts[link{region: m.RegionId, from: m.FromPeer.StoreId}] = copied
	default:
		n.sent = append(n.sent, copied)
	}
	return nil
}

// between takes what was sent over a link, and keeps what others will ask for.
func (n *network) between(at link) []*rspb.RaftMessage {
	taken := []*rspb.RaftMessage{}
	for _, m := range n.sent {
		of := link{m.RegionId, m.FromPeer.StoreId, m.ToPeer.StoreId}
		if of == at {
			taken = append(taken, m)
		} else if isOfALeader(m) {
			n.keep(of, m)
		}
	}
	n.sent = nil
	return taken
}

// keep is for a follower that its leader may soon not know any more.
func (n *network) keep(at link, m *rspb.RaftMessage) {
	n.kept[at] = append(n.kept[at], m)
	if len(n.kept[at]) > 8 {
		n.kept[at] = n.kept[at][1:]
	}
}

func isOfALeader(m *rspb.RaftMessage) bool {
	if m.IsTombstone {
		return false
	}
	kind := m.Message.MsgType
	return kind == eraftpb.MessageType_MsgAppend || kind == eraftpb.MessageType_MsgHeartbeat ||
		kind == eraftpb.MessageType_MsgSnapshot
}

// deliver hands a message to its store, a snapshot's file before it.
func (w *world) deliver(m *rspb.RaftMessage) {
	to := w.up(m.ToPeer.StoreId)
	if !m.IsTombstone && m.Message.MsgType == eraftpb.MessageType_MsgSnapshot {
		w.carry(m)
	}
	to.Take(m)
}

func (w *world) carry(m *rspb.RaftMessage) {
	key := snap.SnapKeyFromRegionSnap(m.RegionId, m.Message.Snapshot)
	from, err := w.snaps[m.FromPeer.StoreId].GetSnapshotForSending(key)
	must(err)
	to, err := w.snaps[m.ToPeer.StoreId].GetSnapshotForReceiving(key, m.Message.Snapshot.Data)
	must(err)
	if to.Exists() {
		return
	}
	_, err = io.Copy(to, from)
	must(err)
	must(to.Save())
}

// round delivers messages over a link, and what comes back unless that is lost.
func (w *world) round(at link, messages []*rspb.RaftMessage, reply string) {
	w.net.sent = nil
	for _, m := range messages {
		w.deliver(m)
	}
	answers := w.net.between(link{at.region, at.to, at.from})
	if reply == "delivered" && w.stores[at.from] != nil {
		for _, m := range answers {
			w.deliver(m)
		}
	}
	w.net.between(link{})
}

func (r *region) toMeta() *metapb.Region {
	m := &metapb.Region{
		Id: r.ID, StartKey: r.Start, EndKey: r.End,
		RegionEpoch: &metapb.RegionEpoch{ConfVer: r.Epoch.ConfVer, Version: r.Epoch.Version},
	}
	for _, p := range r.Peers {
		m.Peers = append(m.Peers, &metapb.Peer{Id: p.ID, StoreId: p.Store})
	}
	return m
}

func regionOf(m *metapb.Region) region {
	r := region{ID: m.Id, Start: m.StartKey, End: m.EndKey, Peers: []member{}}
	if m.RegionEpoch != nil {
		r.Epoch = epoch{m.RegionEpoch.ConfVer, m.RegionEpoch.Version}
	}
	for _, p := range m.Peers {
		r.Peers = append(r.Peers, member{p.Id, p.StoreId, "voter"})
	}
	return r
}

func covered(key []byte, ranges []*metapb.Region) bool {
	for _, r := range ranges {
		if bytes.Compare(r.StartKey, key) <= 0 && !engine_util.ExceedEndKey(key, r.EndKey) {
			return true
		}
	}
	return false
}

func ids(set map[uint64]bool) []uint64 {
	all := []uint64{}
	for id := range set {
		all = append(all, id)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

func name(id uint64) string { return strconv.FormatUint(id, 10) }
