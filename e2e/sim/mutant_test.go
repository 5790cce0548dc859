package sim

import (
	"flag"
	"testing"
	"time"
)

var bound = flag.Uint64("bound", 1500, "how many scenarios a mutant may live through")

// foundBy is by which invariant a mutant must be found that shows that this one can fail. The others may be found by any.
var foundBy = map[Mutant]string{News: whoCanAsks, Unasking: whoIsAway}

// Every mutant is found. What is found is that a scenario which holds without it does not hold with it.
func TestMutantsAreFound(t *testing.T) {
	for _, m := range Mutants {
		begin := time.Now()
		var found *Result
		played := uint64(0)
		RunMany(*from, *bound, m, func(r Result) bool {
			played++
			if r.Broken != nil && (foundBy[m] == "" || foundBy[m] == r.Broken.Invariant) && Run(r.Seed, Nothing, nil).Broken == nil {
				found = &r
			}
			return found == nil
		})
		if found == nil {
			t.Errorf("without %s: not found in %d scenarios (%v) %s", m, *bound, time.Since(begin).Round(time.Millisecond), foundBy[m])
			continue
		}
		t.Logf("without %s: %d scenarios, seed %d in %v: %v", m, played, found.Seed, time.Since(begin).Round(time.Millisecond), found.Broken)
		t.Logf("make sim SEED=%d MUTANT='%s'", found.Seed, m)
	}
}
