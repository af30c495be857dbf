// Package snap stands in for the course's: files of snapshots, in memory.
package snap

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pingcap-incubator/tinykv/proto/pkg/eraftpb"
)

type SnapKey struct{ RegionID, Term, Index uint64 }

func SnapKeyFromRegionSnap(region uint64, s *eraftpb.Snapshot) SnapKey {
	return SnapKey{region, s.Metadata.Term, s.Metadata.Index}
}

type Snapshot interface {
	io.Reader
	io.Writer
	Exists() bool
	Save() error
}

type file struct {
	bytes.Buffer
	files map[SnapKey][]byte
	key   SnapKey
}

func (f *file) Exists() bool {
	_, exists := f.files[f.key]
	return exists
}

func (f *file) Save() error {
	f.files[f.key] = append([]byte{}, f.Bytes()...)
	return nil
}

type SnapManager struct{ built, received map[SnapKey][]byte }

func NewSnapManager(string) *SnapManager {
	return &SnapManager{map[SnapKey][]byte{}, map[SnapKey][]byte{}}
}

func (*SnapManager) Init() error { return nil }

func (m *SnapManager) Build(key SnapKey, data []byte) { m.built[key] = data }

func (m *SnapManager) GetSnapshotForSending(key SnapKey) (Snapshot, error) {
	return &file{Buffer: *bytes.NewBuffer(append([]byte{}, m.built[key]...)), files: m.built, key: key}, nil
}

func (m *SnapManager) GetSnapshotForReceiving(key SnapKey, _ []byte) (Snapshot, error) {
	return &file{files: m.received, key: key}, nil
}

func (m *SnapManager) Received(key SnapKey) ([]byte, error) {
	if data, exists := m.received[key]; exists {
		return data, nil
	}
	return nil, fmt.Errorf("there is no snapshot %v", key)
}
