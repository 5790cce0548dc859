package upgrade

import (
	"context"
	"sync"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/e2e/lab"
)

// hashes is what was seen of the directors' states: at one index of the log all must have the same hash, whatever
// versions they run.
type hashes struct {
	mu   sync.Mutex
	seen map[uint64]map[string]string // index, director: hash
}

// lookEvery is how often each director is asked.
const lookEvery = 100 * time.Millisecond

// watch asks every director again and again until the test ends.
func watch(t lab.T, a *lab.Article) *hashes {
	h := &hashes{seen: map[uint64]map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	for _, d := range a.Directors {
		client := api.NewClient(d.Socket())
		asking.Go(func() {
			for ctx.Err() == nil {
				if st, err := client.Status(ctx); err == nil && st.AppliedIndex > 0 { // one that is started anew does not answer
					h.put(st)
				}
				time.Sleep(lookEvery)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		asking.Wait()
	})
	return h
}

func (h *hashes) put(st api.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[st.AppliedIndex] == nil {
		h.seen[st.AppliedIndex] = map[string]string{}
	}
	h.seen[st.AppliedIndex][st.Name] = st.StateHash
}

// check holds that nobody had another state than others had at the same index, and that this was seen of enough.
func (h *hashes) check(t lab.T, least int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	compared := 0
	for index, byName := range h.seen {
		distinct := map[string]bool{}
		for _, hash := range byName {
			distinct[hash] = true
		}
		if len(distinct) > 1 {
			t.Errorf("states differ at index %d: %v", index, byName)
		}
		if len(byName) > 1 {
			compared++
		}
	}
	t.Logf("hashes of two or three directors are equal at %d indexes", compared)
	if compared < least {
		t.Errorf("hashes were compared at %d indexes, want %d", compared, least)
	}
}
