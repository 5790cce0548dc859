package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/durable"
)

// content is the file in which the records are kept, by group.
type content struct {
	Version int               `json:"version"`
	Groups  map[string]Record `json:"groups"`
}

const (
	fileVersion = 1
	writeRetry  = time.Second
)

// file writes the newest records to disk, away from who decides.
type file struct {
	path string // "": nothing is kept
	log  hclog.Logger
	poke chan struct{} // capacity 1

	mu      sync.Mutex // guards what follows
	latest  map[string]Record
	dirty   bool          // latest is to be written
	written chan struct{} // closed when latest is on disk
}

func newFile(path string, log hclog.Logger) *file {
	f := &file{path: path, log: log, poke: make(chan struct{}, 1), written: make(chan struct{})}
	close(f.written)
	return f
}

// read returns what is kept, empty if nothing is. What cannot be read is as if it were not there: then
// hooks that were done are done again.
func (f *file) read() map[string]Record {
	if f.path == "" {
		return map[string]Record{}
	}
	c := content{}
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Record{}
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && c.Version != fileVersion {
		err = fmt.Errorf("version %d, want %d", c.Version, fileVersion)
	}
	if err != nil {
		f.log.Warn("what hooks have done is not known, they are run again", "file", f.path, "err", err)
		return map[string]Record{}
	}
	if c.Groups == nil {
		c.Groups = map[string]Record{}
	}
	return c.Groups
}

// put gives the records that are to be on disk, and returns a channel that is closed once they are.
func (f *file) put(records map[string]Record) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" || reflect.DeepEqual(records, f.latest) {
		return f.written
	}
	f.latest = records
	if !f.dirty {
		f.dirty, f.written = true, make(chan struct{})
	}
	poke(f.poke)
	return f.written
}

// run writes until ctx ends, and what is left once more then.
func (f *file) run(ctx context.Context) {
	wrong := false
	for over := false; !over; {
		var again <-chan time.Time
		if wrong {
			again = time.After(writeRetry)
		}
		select {
		case <-ctx.Done():
			over = true
		case <-f.poke:
		case <-again:
		}
		err := f.flush()
		if (err != nil) != wrong {
			wrong = err != nil
			f.log.Warn("the file of what hooks have done", "path", f.path, "written", !wrong, "err", err)
		}
	}
}

func (f *file) flush() error {
	f.mu.Lock()
	records, written, dirty := f.latest, f.written, f.dirty
	f.dirty = false
	f.mu.Unlock()
	if !dirty {
		return nil
	}
	b, err := json.Marshal(content{Version: fileVersion, Groups: records})
	if err == nil {
		err = durable.Write(f.path, b, 0o600)
	}
	if err == nil {
		close(written)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty = true // these, or newer ones; who waited for these waits no longer than its patience
	return err
}

// poke sends to a channel of capacity 1 without blocking.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
