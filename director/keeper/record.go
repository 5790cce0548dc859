package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// record is what a keeper leaves for the next one. It has no time: the lifetimes of the addresses in
// the kernel say how long ago their keeper ran.
type record struct {
	Version int             `json:"version"`
	Order   Order           `json:"order"`
	Active  map[string]bool `json:"active,omitempty"`
}

const recordVersion = 1

// recorder writes the newest record to disk, away from the loop.
type recorder struct {
	path string
	log  hclog.Logger
	poke chan struct{}

	mu   sync.Mutex
	next *record
}

func newRecorder(path string, log hclog.Logger) *recorder {
	return &recorder{path: path, log: log, poke: make(chan struct{}, 1)}
}

// put replaces what is to be written.
func (r *recorder) put(rec record) {
	rec.Version = recordVersion
	r.mu.Lock()
	r.next = &rec
	r.mu.Unlock()
	poke(r.poke)
}

func (r *recorder) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.poke:
			if err := r.flush(); err != nil {
				r.log.Error("keep the record, trying again", "err", err)
				retry.Reset(time.Second)
			}
			continue
		case <-retry.C:
			poke(r.poke)
		}
	}
}

// flush writes what was put last, if it was not written yet.
func (r *recorder) flush() error {
	r.mu.Lock()
	rec := r.next
	r.next = nil
	r.mu.Unlock()
	if rec == nil {
		return nil
	}
	if err := r.write(*rec); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.next == nil { // it is still the newest
			r.next = rec
		}
		return err
	}
	return nil
}

func (r *recorder) write(rec record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode the record: %w", err)
	}
	return replace(r.path, b)
}

// replace writes a file whole or not at all.
func replace(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
		}
	}()
	if _, err := tmp.Write(b); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// readRecord returns the record, empty if there is none.
func readRecord(path string) (record, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("read the record: %w", err)
	}
	var rec record
	if err := json.Unmarshal(b, &rec); err != nil {
		return record{}, fmt.Errorf("read the record %s: %w", path, err)
	}
	if rec.Version != recordVersion {
		return record{}, fmt.Errorf("read the record %s: version %d, want %d", path, rec.Version, recordVersion)
	}
	return rec, nil
}
