// Package metapb stands in for the course's messages: the same names, no protobuf.
package metapb

type RegionEpoch struct{ ConfVer, Version uint64 }

type Peer struct{ Id, StoreId uint64 }

type Region struct {
	Id               uint64
	StartKey, EndKey []byte
	RegionEpoch      *RegionEpoch
	Peers            []*Peer
}

type Store struct{ Id uint64 }
