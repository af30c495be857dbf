package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/Connor1996/badger"
	"github.com/pingcap-incubator/tinykv/kv/raftstore"
	"github.com/pingcap-incubator/tinykv/kv/util/engine_util"
)

// disks are the engines, which are opened once: to open one takes longer than to empty it.
type disks struct {
	folder  string
	engines map[uint64]*engine_util.Engines
	// What was ever written there: the regions, and the last index of a log.
	regions map[uint64]bool
	last    uint64
}

// prefix is of the folders, and behind it comes the process.
const prefix = "tinykv-rollcall-"

// newDisks makes a folder, and removes those of adapters that were killed.
func newDisks() *disks {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	must(err)
	for _, folder := range left {
		var process int
		if _, err := fmt.Sscanf(filepath.Base(folder), prefix+"%d-", &process); err == nil && syscall.Kill(process, 0) == syscall.ESRCH {
			must(os.RemoveAll(folder))
		}
	}
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	must(err)
	// By default an engine takes a quarter of a gigabyte at once. No power fails here.
	badger.DefaultOptions.ValueLogFileSize = 1 << 20
	badger.DefaultOptions.MaxTableSize = 16 << 20
	badger.DefaultOptions.SyncWrites = false
	return &disks{folder: folder, engines: map[uint64]*engine_util.Engines{}, regions: map[uint64]bool{}}
}

// spare is how far a log may reach behind the last index that was seen.
const spare = 64

func (d *disks) empty(store uint64) *engine_util.Engines {
	if engines := d.engines[store]; engines != nil {
		must(raftstore.AdapterWipe(engines, ids(d.regions), d.last+spare))
		return engines
	}
	of := filepath.Join(d.folder, name(store))
	kv, logs := filepath.Join(of, "kv"), filepath.Join(of, "raft")
	d.engines[store] = engine_util.NewEngines(engine_util.CreateDB(kv, false), engine_util.CreateDB(logs, true), kv, logs)
	return d.engines[store]
}
