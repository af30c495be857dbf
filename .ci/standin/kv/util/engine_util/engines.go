// Package engine_util stands in for the course's: the same names over an engine in memory, JSON for protobuf.
package engine_util

import (
	"bytes"
	"encoding/json"

	"github.com/Connor1996/badger"
)

const CfDefault = "default"

type Engines struct{ Kv, Raft *badger.DB }

func NewEngines(kv, raft *badger.DB, _, _ string) *Engines { return &Engines{kv, raft} }

func CreateDB(string, bool) *badger.DB {
	db, _ := badger.Open(badger.DefaultOptions)
	return db
}

func (e *Engines) WriteKV(wb *WriteBatch) error   { return wb.WriteToDB(e.Kv) }
func (e *Engines) WriteRaft(wb *WriteBatch) error { return wb.WriteToDB(e.Raft) }

type write struct {
	key, value []byte
	gone       bool
}

type WriteBatch struct{ writes []write }

func KeyWithCF(cf string, key []byte) []byte { return append([]byte(cf+"_"), key...) }

func (wb *WriteBatch) SetCF(cf string, key, value []byte) {
	wb.writes = append(wb.writes, write{KeyWithCF(cf, key), value, false})
}

func (wb *WriteBatch) DeleteCF(cf string, key []byte) {
	wb.writes = append(wb.writes, write{KeyWithCF(cf, key), nil, true})
}

func (wb *WriteBatch) DeleteMeta(key []byte) { wb.writes = append(wb.writes, write{key, nil, true}) }

func (wb *WriteBatch) SetMeta(key []byte, what interface{}) error {
	value, err := json.Marshal(what)
	wb.writes = append(wb.writes, write{key, value, false})
	return err
}

func (wb *WriteBatch) WriteToDB(db *badger.DB) error {
	for _, w := range wb.writes {
		if w.gone {
			db.Delete(w.key)
		} else {
			db.Set(w.key, w.value)
		}
	}
	return nil
}

func GetMeta(db *badger.DB, key []byte, into interface{}) error {
	value, err := db.Get(key)
	if err != nil {
		return err
	}
	return json.Unmarshal(value, into)
}

func ExceedEndKey(key, end []byte) bool { return len(end) > 0 && bytes.Compare(key, end) >= 0 }

// CFIterator goes through the keys as they were when it was made.
type CFIterator struct {
	db     *badger.DB
	prefix string
	keys   []string
}

func NewCFIterator(cf string, txn *badger.Txn) *CFIterator {
	return &CFIterator{txn.DB, cf + "_", txn.DB.Keys(cf + "_")}
}

func (it *CFIterator) Seek(key []byte) {
	for len(it.keys) > 0 && it.keys[0] < it.prefix+string(key) {
		it.keys = it.keys[1:]
	}
}

func (it *CFIterator) Valid() bool { return len(it.keys) > 0 }
func (it *CFIterator) Next()       { it.keys = it.keys[1:] }
func (*CFIterator) Close()         {}
func (it *CFIterator) Item() Item  { return Item{it.db, it.prefix, it.keys[0]} }

type Item struct {
	db          *badger.DB
	prefix, key string
}

func (i Item) KeyCopy([]byte) []byte            { return []byte(i.key[len(i.prefix):]) }
func (i Item) ValueCopy([]byte) ([]byte, error) { return i.db.Get([]byte(i.key)) }

func DeleteRange(db *badger.DB, start, end []byte) error {
	it := NewCFIterator(CfDefault, db.NewTransaction(false))
	for it.Seek(start); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if ExceedEndKey(key, end) {
			break
		}
		db.Delete(KeyWithCF(CfDefault, key))
	}
	return nil
}
