package sim

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// RunMany plays the scenarios of n seeds from one on, on all cores, and tells of each as it ends, one at a
// time. Tell returns false to end it.
func RunMany(first, n uint64, without Mutant, tell func(Result) bool) {
	var next atomic.Uint64
	var ended atomic.Bool
	var telling sync.Mutex
	var playing sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		playing.Go(func() {
			for i := next.Add(1) - 1; i < n && !ended.Load(); i = next.Add(1) - 1 {
				r := Run(first+i, without, nil)
				telling.Lock()
				if !ended.Load() && !tell(r) {
					ended.Store(true)
				}
				telling.Unlock()
			}
		})
	}
	playing.Wait()
}
