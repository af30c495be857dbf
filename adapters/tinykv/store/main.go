// An adapter around the stores of the TinyKV course (2B, 2C, 3B), of level `world`: a cluster that takes Rollcall's
// actions and shows its views. Its stores are the course's kv/raftstore, with hooks.go inside; network, placement
// driver and clients are here.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pingcap-incubator/tinykv/log"
)

// refusal is why nothing has changed.
type refusal string

func refuse(format string, args ...interface{}) { panic(refusal(fmt.Sprintf(format, args...))) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type adapter struct {
	disks *disks
	world *world
}

// take carries out one question.
func (a *adapter) take(q *question) interface{} {
	switch {
	case q.Hello != nil:
		return handshake{1, "world", "TinyKV stores", "of this folder", []string{"transfer", "snapshots", "compact"}}
	case q.Reset != nil:
		if a.world != nil {
			a.world.end()
			a.world = nil
		}
		a.world = begin(&q.Reset.Scope, a.disks)
		return shown{View: a.world.look()}
	case q.Apply != nil && a.world != nil:
		var what action
		if json.Unmarshal(q.Apply.Action, &what) != nil {
			refuse("TinyKV has no such action")
		}
		before := a.world.seen
		a.world.take(&what)
		view := a.world.look()
		if string(before) == string(a.world.seen) {
			refuse("nothing comes of it")
		}
		return shown{"done", view}
	}
	refuse("a question of no known verb")
	return nil
}

// reply answers. A panic of a store is the answer, too.
func (a *adapter) reply(q *question) (said answer) {
	said.Seq = q.Seq
	defer func() {
		switch why := recover().(type) {
		case nil:
		case refusal:
			said = answer{Seq: q.Seq, Refused: string(why)}
		default:
			said = answer{Seq: q.Seq, Failed: fmt.Sprint(why)}
		}
	}()
	said.OK = a.take(q)
	return said
}

func main() {
	// Whatever the course's code prints goes to standard error: standard output is the wire's.
	out := bufio.NewWriter(os.Stdout)
	os.Stdout = os.Stderr
	log.SetLevel(log.LOG_LEVEL_FATAL)
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	a := &adapter{disks: newDisks()}
	defer os.RemoveAll(a.disks.folder)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		must(err)
		var q question
		must(json.Unmarshal(line, &q))
		must(encoder.Encode(a.reply(&q)))
		must(out.Flush())
	}
}
