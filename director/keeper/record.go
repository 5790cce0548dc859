package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/durable"
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
	path     string
	distrust error // why nothing is kept there; nil if it is
	log      hclog.Logger
	poke     chan struct{}

	mu    sync.Mutex
	next  *record
	wrong error // what was last wrong with the record, nil when it is right
}

func newRecorder(path string, distrust error, log hclog.Logger) *recorder {
	return &recorder{path: path, distrust: distrust, wrong: distrust, log: log, poke: make(chan struct{}, 1)}
}

// put replaces what is to be written.
func (r *recorder) put(rec record) {
	if r.distrust != nil {
		return
	}
	rec.Version = recordVersion
	r.mu.Lock()
	r.next = &rec
	r.mu.Unlock()
	poke(r.poke)
}

// complain notes what is wrong with the record, nil if nothing is any more, and says it when it is
// news.
func (r *recorder) complain(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errorText(err) == errorText(r.wrong) {
		return
	}
	r.wrong = err
	if err == nil {
		r.log.Info("the record is kept again")
		return
	}
	r.log.Error("the record is not kept, trying again", "err", err)
}

// trouble is what is wrong with the record, or empty.
func (r *recorder) trouble() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errorText(r.wrong)
}

func (r *recorder) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.poke:
			err := r.flush()
			r.complain(err)
			if err != nil {
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
	if err := durable.Write(r.path, b, 0o600); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}

// past is what the keeper before left, empty if it left nothing or, with the reason, if that cannot be told.
func (r *recorder) past() (record, error) {
	if r.distrust != nil {
		return record{}, r.distrust
	}
	rec, err := readRecord(r.path)
	if err == nil {
		err = rec.Order.Validate()
	}
	if err != nil {
		return record{}, err
	}
	return rec, nil
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
