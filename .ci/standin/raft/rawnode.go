package raft

import pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"

type SoftState struct {
	Lead      uint64
	RaftState StateType
}

type Ready struct {
	*SoftState
	pb.HardState
	Entries          []pb.Entry
	Snapshot         pb.Snapshot
	CommittedEntries []pb.Entry
	Messages         []pb.Message
}

func isSame(a, b pb.HardState) bool {
	return a.Term == b.Term && a.Vote == b.Vote && a.Commit == b.Commit
}

func IsEmptyHardState(hard pb.HardState) bool { return isSame(hard, pb.HardState{}) }

type RawNode struct {
	Raft *Raft
	hard pb.HardState
	soft SoftState
}

func NewRawNode(config *Config) (*RawNode, error) {
	r := newRaft(config)
	return &RawNode{Raft: r, hard: r.hardState(), soft: r.softState()}, nil
}

func (rn *RawNode) Tick() { rn.Raft.tick() }

func (rn *RawNode) Campaign() error {
	return rn.Raft.Step(pb.Message{MsgType: pb.MessageType_MsgHup})
}

func (rn *RawNode) Propose(data []byte) error {
	return rn.Raft.propose(&pb.Entry{Data: data})
}

func (rn *RawNode) ProposeConfChange(cc pb.ConfChange) error {
	data, err := cc.Marshal()
	if err != nil {
		return err
	}
	return rn.Raft.propose(&pb.Entry{EntryType: pb.EntryType_EntryConfChange, Data: data})
}

func (r *Raft) propose(e *pb.Entry) error {
	return r.Step(pb.Message{MsgType: pb.MessageType_MsgPropose, From: r.id, Entries: []*pb.Entry{e}})
}

func (rn *RawNode) ApplyConfChange(cc pb.ConfChange) *pb.ConfState {
	if cc.ChangeType == pb.ConfChangeType_AddNode {
		rn.Raft.addNode(cc.NodeId)
	} else {
		rn.Raft.removeNode(cc.NodeId)
	}
	return &pb.ConfState{Nodes: rn.Raft.members()}
}

func (rn *RawNode) Step(m pb.Message) error { return rn.Raft.Step(m) }

func (rn *RawNode) Ready() Ready {
	r := rn.Raft
	ready := Ready{Entries: r.RaftLog.unstable(), CommittedEntries: r.RaftLog.nextEnts(), Messages: r.msgs}
	if hard := r.hardState(); !isSame(hard, rn.hard) {
		ready.HardState = hard
	}
	if soft := r.softState(); soft != rn.soft {
		ready.SoftState = &soft
	}
	if r.RaftLog.pendingSnapshot != nil {
		ready.Snapshot = *r.RaftLog.pendingSnapshot
	}
	r.msgs = nil
	return ready
}

func (rn *RawNode) HasReady() bool {
	r, l := rn.Raft, rn.Raft.RaftLog
	return len(r.msgs) > 0 || !isSame(r.hardState(), rn.hard) || l.pendingSnapshot != nil || len(l.unstable()) > 0 ||
		len(l.nextEnts()) > 0
}

func (rn *RawNode) Advance(ready Ready) {
	r, l := rn.Raft, rn.Raft.RaftLog
	if !IsEmptyHardState(ready.HardState) {
		rn.hard = ready.HardState
	}
	rn.soft = r.softState()
	if n := len(ready.Entries); n > 0 {
		l.stabled = ready.Entries[n-1].Index
	}
	if n := len(ready.CommittedEntries); n > 0 {
		l.applied = ready.CommittedEntries[n-1].Index
	}
	if ready.Snapshot.Metadata != nil {
		l.pendingSnapshot = nil
	}
	l.maybeCompact()
}

func (rn *RawNode) TransferLeader(to uint64) {
	_ = rn.Raft.Step(pb.Message{MsgType: pb.MessageType_MsgTransferLeader, From: to})
}
