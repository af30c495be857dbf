package main

import (
	"github.com/pingcap-incubator/tinykv/kv/raftstore"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/metapb"
	"github.com/pingcap-incubator/tinykv/proto/pkg/raft_cmdpb"
	rspb "github.com/pingcap-incubator/tinykv/proto/pkg/raft_serverpb"
)

// take carries out an action, or refuses.
func (w *world) take(a *action) {
	w.net.sent = nil
	switch {
	case a.Campaign != nil:
		w.campaign(a.Campaign)
	case a.Vote != nil:
		w.vote(a.Vote)
	case a.Replicate != nil:
		w.replicate(a.Replicate)
	case a.Heartbeat != nil:
		w.heartbeat(a.Heartbeat)
	case a.Propose != nil:
		w.propose(a.Propose)
	case a.AskSplit != nil:
		w.askSplit(a.AskSplit)
	case a.TimeoutNow != nil:
		w.timeoutNow(a.TimeoutNow)
	case a.TransferTimeout != nil:
		w.transferTimeout(a.TransferTimeout)
	case a.Crash != nil:
		w.crash(a.Crash.Store)
	case a.Restart != nil:
		if store, known := w.stores[a.Restart.Store]; !known || store != nil {
			refuse("store %d runs, or there is none", a.Restart.Store)
		}
		w.start(a.Restart.Store)
	default:
		refuse("TinyKV has no such action, or does it at once")
	}
	// What is left over may be asked for later.
	w.net.between(link{})
}

// crash leaves the disk. The course's skeleton forgets a peer that has no region yet, which no student can help.
func (w *world) crash(store uint64) {
	s := w.up(store)
	for _, region := range ids(w.disks.regions) {
		p, err := s.Peer(region)
		must(err)
		if p != nil && p.IsNewcomer {
			refuse("store %d would forget a peer that waits for its region", store)
		}
	}
	s.Stop()
	w.stores[store] = nil
}

func (w *world) campaign(f *fields) {
	if w.peer(f.Store, f.Region).Role == "leader" {
		refuse("it leads")
	}
	w.stores[f.Store].Campaign(f.Region)
}

func noneIsLate(f *fields) {
	if f.Reply == "delayed" {
		refuse("nothing is late here")
	}
}

func (w *world) vote(f *fields) {
	noneIsLate(f)
	candidate := w.peer(f.Candidate, f.Region)
	at := link{f.Region, f.Candidate, f.Voter}
	request := w.net.votes[at]
	if candidate.Role != "candidate" || request == nil || request.Message.Term != candidate.Term {
		refuse("it does not ask that store")
	}
	w.up(f.Voter)
	w.round(at, []*rspb.RaftMessage{request}, f.Reply)
}

// known is the id of the leader's peer on a store; 0 if it knows none.
func known(leader *raftstore.AdapterPeer, store uint64) uint64 {
	for _, p := range leader.Region.Peers {
		if p.StoreId == store {
			return p.Id
		}
	}
	return 0
}

// follows is where the logs of a leader and a follower part: the first index that the follower has not got. It is
// the last one that the leader has forgotten where the logs do not meet, so that a snapshot is sent.
func follows(leader, follower *raftstore.AdapterPeer) uint64 {
	term := func(p *raftstore.AdapterPeer, index uint64) uint64 {
		if index == p.Truncated[0] {
			return p.Truncated[1]
		}
		return p.Terms[index-p.Truncated[0]-1]
	}
	index := leader.Last
	if follower.Last < index {
		index = follower.Last
	}
	for ; index >= leader.Truncated[0] && index >= follower.Truncated[0]; index-- {
		if term(leader, index) == term(follower, index) {
			return index + 1
		}
	}
	return leader.Truncated[0]
}

func (w *world) replicate(f *fields) {
	noneIsLate(f)
	store, other := w.up(f.Leader), w.up(f.Follower)
	if f.Leader == f.Follower {
		refuse("it has what it has")
	}
	at := link{f.Region, f.Leader, f.Follower}
	leader, err := store.Peer(f.Region)
	must(err)
	to := uint64(0)
	if leader != nil && leader.Role == "leader" {
		to = known(leader, f.Follower)
	}
	if to == 0 {
		// It does not lead any more, or does not know the other. What it last sent may still arrive.
		kept := w.net.kept[at]
		if len(kept) == 0 {
			refuse("store %d sends nothing to store %d", f.Leader, f.Follower)
		}
		delete(w.net.kept, at)
		w.round(at, kept, f.Reply)
		return
	}
	delete(w.net.kept, at)
	follower, err := other.Peer(f.Region)
	must(err)
	if follower == nil || follower.ID != to {
		// The heartbeat makes the peer.
		store.Beat(f.Region, to)
		w.round(at, w.net.between(at), f.Reply)
		return
	}
	next := follows(leader, follower)
	// A snapshot is made behind the first time that it is asked for.
	for asked := 0; asked < 3; asked++ {
		store.Probe(f.Region, to, next, f.Entries == "one")
		if fresh := w.net.between(at); len(fresh) > 0 {
			w.round(at, fresh, f.Reply)
			return
		}
	}
	refuse("the leader sends nothing")
}

func (w *world) heartbeat(f *fields) {
	noneIsLate(f)
	store := w.up(f.Leader)
	w.up(f.Follower)
	to := known(w.leader(f.Leader, f.Region), f.Follower)
	if to == 0 || f.Leader == f.Follower {
		refuse("it is no follower")
	}
	at := link{f.Region, f.Leader, f.Follower}
	store.Beat(f.Region, to)
	w.round(at, w.net.between(at), f.Reply)
}

func (w *world) timeoutNow(f *fields) {
	at := link{region: f.Region, from: f.Leader}
	order := w.net.timeouts[at]
	// Some step down with the order, so it need not lead any more.
	if order == nil {
		refuse("it has not told anybody to campaign")
	}
	w.up(order.ToPeer.StoreId)
	delete(w.net.timeouts, at)
	w.deliver(order)
}

func (w *world) transferTimeout(f *fields) {
	for ticks := 0; ticks < 40; ticks++ {
		if w.leader(f.Store, f.Region).Transferee == 0 {
			break
		}
		w.stores[f.Store].Tick(f.Region)
	}
	delete(w.net.timeouts, link{region: f.Region, from: f.Store})
}

func (w *world) askSplit(f *fields) {
	leader := w.leader(f.Store, f.Region)
	if f.Reply != "delivered" || len(f.Keys) != 1 || f.Derive != "left" {
		refuse("TinyKV splits a region in two, and the left one keeps its id")
	}
	of := child{Region: w.nextID, Key: f.Keys[0]}
	for i := range leader.Region.Peers {
		of.Peers = append(of.Peers, w.nextID+1+uint64(i))
	}
	w.nextID += 1 + uint64(len(of.Peers))
	w.propose(&fields{Region: f.Region, Store: f.Store, Command: &command{Split: &split{[]child{of}, "left"}}})
}

func (w *world) propose(f *fields) {
	store, p := w.up(f.Store), w.peer(f.Store, f.Region)
	header := &raft_cmdpb.RaftRequestHeader{
		RegionId: f.Region, Peer: &metapb.Peer{Id: p.ID, StoreId: f.Store},
		RegionEpoch: &metapb.RegionEpoch{ConfVer: p.Region.RegionEpoch.ConfVer, Version: p.Region.RegionEpoch.Version},
	}
	if f.Epoch != nil {
		header.RegionEpoch = &metapb.RegionEpoch{ConfVer: f.Epoch.ConfVer, Version: f.Epoch.Version}
	}
	request := &raft_cmdpb.RaftCmdRequest{Header: header}
	w.fill(request, f.Command, p)
	// Where the entry will be if there is one: nobody else proposes in between.
	at := place{f.Region, p.Last + 1, p.Term}
	if f.Command.TransferLeader == nil && p.Role == "leader" {
		if _, taken := w.proposed[at]; !taken {
			w.proposed[at] = entry{p.Term, f.Command, &epoch{header.RegionEpoch.ConfVer, header.RegionEpoch.Version}}
		}
	}
	response := store.Ask(request)
	after, err := store.Peer(f.Region)
	must(err)
	if after != nil && after.ID == p.ID && after.Last == p.Last {
		delete(w.proposed, at)
		if response != nil && response.Header != nil && response.Header.Error != nil {
			refuse("it answers: %s", response.Header.Error.String())
		}
	}
}

// mayOrder is the scheduler's part, which the course does not ask of a store: it orders no second peer on a store, and
// no removal behind which less than a majority would run.
func (w *world) mayOrder(c *change, leader *raftstore.AdapterPeer) {
	if c.Kind == "add_voter" {
		if is := known(leader, c.Store); is != 0 && is != c.Peer {
			refuse("no scheduler adds a second peer on store %d", c.Store)
		}
		return
	}
	left, run := 0, 0
	for _, p := range leader.Region.Peers {
		if p.Id != c.Peer {
			left++
			if w.stores[p.StoreId] != nil {
				run++
			}
		}
	}
	if run*2 <= left {
		refuse("no scheduler removes peer %d while so many others are down", c.Peer)
	}
}

// fill is the command as the course has it.
func (w *world) fill(request *raft_cmdpb.RaftCmdRequest, c *command, p *raftstore.AdapterPeer) {
	admin := &raft_cmdpb.AdminRequest{}
	switch {
	case c == nil:
		refuse("TinyKV has no such command")
	case c.Put != nil:
		put := &raft_cmdpb.PutRequest{Cf: engine_util.CfDefault, Key: c.Put.Key, Value: *c.Put.Value}
		request.Requests = []*raft_cmdpb.Request{{CmdType: raft_cmdpb.CmdType_Put, Put: put}}
		return
	case c.Delete != nil:
		gone := &raft_cmdpb.DeleteRequest{Cf: engine_util.CfDefault, Key: c.Delete.Key}
		request.Requests = []*raft_cmdpb.Request{{CmdType: raft_cmdpb.CmdType_Delete, Delete: gone}}
		return
	case c.ChangePeer != nil:
		kind := eraftpb.ConfChangeType_AddNode
		w.mayOrder(c.ChangePeer, p)
		switch c.ChangePeer.Kind {
		case "add_voter":
		case "remove":
			kind = eraftpb.ConfChangeType_RemoveNode
		default:
			refuse("TinyKV has voters alone")
		}
		admin.CmdType = raft_cmdpb.AdminCmdType_ChangePeer
		admin.ChangePeer = &raft_cmdpb.ChangePeerRequest{
			ChangeType: kind, Peer: &metapb.Peer{Id: c.ChangePeer.Peer, StoreId: c.ChangePeer.Store},
		}
	case c.Split != nil:
		if len(c.Split.Children) != 1 || c.Split.Derive != "left" {
			refuse("TinyKV splits a region in two, and the left one keeps its id")
		}
		of := c.Split.Children[0]
		w.disks.regions[of.Region] = true
		admin.CmdType = raft_cmdpb.AdminCmdType_Split
		admin.Split = &raft_cmdpb.SplitRequest{SplitKey: of.Key, NewRegionId: of.Region, NewPeerIds: of.Peers}
	case c.TransferLeader != nil:
		to := known(p, c.TransferLeader.To)
		admin.CmdType = raft_cmdpb.AdminCmdType_TransferLeader
		admin.TransferLeader = &raft_cmdpb.TransferLeaderRequest{Peer: &metapb.Peer{Id: to, StoreId: c.TransferLeader.To}}
	case c.CompactLog != nil:
		if c.CompactLog.Index <= p.Truncated[0] || c.CompactLog.Index > p.Applied {
			refuse("that is not applied, or compacted already")
		}
		term := p.Terms[c.CompactLog.Index-p.Truncated[0]-1]
		admin.CmdType = raft_cmdpb.AdminCmdType_CompactLog
		admin.CompactLog = &raft_cmdpb.CompactLogRequest{CompactIndex: c.CompactLog.Index, CompactTerm: term}
	default:
		refuse("TinyKV has no such command")
	}
	request.AdminRequest = admin
}
