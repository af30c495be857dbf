// Package badger stands in for the course's engine: keys and values in memory, which outlive a store's crash.
package badger

import (
	"errors"
	"sort"
)

var ErrKeyNotFound = errors.New("key not found")

type Options struct {
	ValueLogFileSize, MaxTableSize int64
	SyncWrites                     bool
}

var DefaultOptions = Options{}

type DB struct{ values map[string][]byte }

func Open(Options) (*DB, error) { return &DB{map[string][]byte{}}, nil }

func (db *DB) Get(key []byte) ([]byte, error) {
	if value, known := db.values[string(key)]; known {
		return value, nil
	}
	return nil, ErrKeyNotFound
}

func (db *DB) Set(key, value []byte) { db.values[string(key)] = append([]byte{}, value...) }
func (db *DB) Delete(key []byte)     { delete(db.values, string(key)) }

// Keys are those with a prefix, in order.
func (db *DB) Keys(prefix string) []string {
	keys := []string{}
	for key := range db.values {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	return keys
}

// Txn only reads.
type Txn struct{ DB *DB }

func (db *DB) NewTransaction(bool) *Txn { return &Txn{db} }
func (*Txn) Discard()                   {}
