package raft

import (
	"errors"

	pb "github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
)

var (
	ErrCompacted   = errors.New("compacted")
	ErrUnavailable = errors.New("unavailable")
)

type Storage interface {
	InitialState() (pb.HardState, pb.ConfState, error)
	Entries(lo, hi uint64) ([]pb.Entry, error)
	Term(i uint64) (uint64, error)
	LastIndex() (uint64, error)
	FirstIndex() (uint64, error)
	Snapshot() (pb.Snapshot, error)
}

// RaftLog keeps everything behind before, which was compacted.
type RaftLog struct {
	storage                     Storage
	committed, applied, stabled uint64
	entries                     []pb.Entry
	pendingSnapshot             *pb.Snapshot
	before, beforeTerm          uint64
}

func newLog(storage Storage) *RaftLog {
	first, err := storage.FirstIndex()
	must(err)
	last, err := storage.LastIndex()
	must(err)
	entries, err := storage.Entries(first, last+1)
	must(err)
	term, err := storage.Term(first - 1)
	must(err)
	return &RaftLog{
		storage: storage, committed: first - 1, applied: first - 1, stabled: last,
		entries: append([]pb.Entry{}, entries...), before: first - 1, beforeTerm: term,
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (l *RaftLog) LastIndex() uint64 { return l.before + uint64(len(l.entries)) }

func (l *RaftLog) Term(i uint64) (uint64, error) {
	switch {
	case i == l.before:
		return l.beforeTerm, nil
	case i < l.before:
		return 0, ErrCompacted
	case i > l.LastIndex():
		return 0, ErrUnavailable
	}
	return l.entries[i-l.before-1].Term, nil
}

func (l *RaftLog) matches(index, term uint64) bool {
	own, err := l.Term(index)
	return err == nil && own == term
}

// behind are the entries behind index.
func (l *RaftLog) behind(index uint64) []pb.Entry {
	if index >= l.LastIndex() {
		return nil
	}
	return l.entries[index-l.before:]
}

func (l *RaftLog) unstable() []pb.Entry { return l.behind(l.stabled) }

func (l *RaftLog) nextEnts() []pb.Entry {
	if l.applied >= l.committed {
		return nil
	}
	return l.entries[l.applied-l.before : l.committed-l.before]
}

// put appends, and cuts what conflicts.
func (l *RaftLog) put(e pb.Entry) {
	if l.matches(e.Index, e.Term) {
		return
	}
	kept := e.Index - l.before - 1
	l.entries = append(l.entries[:kept:kept], e)
	if l.stabled >= e.Index {
		l.stabled = e.Index - 1
	}
}

func (l *RaftLog) maybeCompact() {
	first, err := l.storage.FirstIndex()
	must(err)
	if before := first - 1; before > l.before && before <= l.LastIndex() {
		l.beforeTerm, _ = l.Term(before)
		l.entries = append([]pb.Entry{}, l.entries[before-l.before:]...)
		l.before = before
	}
}

func (l *RaftLog) restore(s *pb.Snapshot) {
	at := s.Metadata
	l.pendingSnapshot, l.entries = s, nil
	l.before, l.beforeTerm = at.Index, at.Term
	l.committed, l.applied, l.stabled = at.Index, at.Index, at.Index
}
