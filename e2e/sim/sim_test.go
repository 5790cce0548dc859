package sim

import (
	_ "embed"
	"flag"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	seed      = flag.Uint64("seed", 0, "replay the scenario of one seed")
	scenarios = flag.Uint64("scenarios", 2000, "how many scenarios to play")
	from      = flag.Uint64("from", 1, "the first seed of them")
	mutant    = flag.String("mutant", "", "what to switch off")
)

// replay is how a scenario is seen again.
const replay = "go test ./e2e/sim -run TestScenario -v -seed"

// The scenario of one seed: the one command that replays what was found.
func TestScenario(t *testing.T) {
	var out io.Writer
	if testing.Verbose() && *seed != 0 {
		out = os.Stdout
	}
	r := Run(max(*seed, 1), Mutant(*mutant), out)
	if r.Broken != nil {
		t.Fatalf("%v\n%s\n%s %d", r.Broken, r.Tail, replay, r.Seed)
	}
	t.Logf("seed %d: %v of virtual time, %d changes of owner, hash %x\n%s", r.Seed, r.Took, r.Moves, r.Hash, strings.Join(r.Faults, "\n"))
}

//go:embed testdata/open.txt
var open string

// stillOpen are the seeds in which an invariant is known to be broken, with which one it is.
func stillOpen(t *testing.T) map[uint64]string {
	known := map[uint64]string{}
	for line := range strings.Lines(open) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		number, rest, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		invariant, why, ok := strings.Cut(rest, ": ")
		if err != nil || !ok || strings.TrimSpace(why) == "" {
			t.Fatalf("testdata/open.txt: %q is not a seed, an invariant and a cause", line)
		}
		known[n] = invariant
	}
	return known
}

// No invariant is broken in any of many scenarios, but in those that are still open.
func TestInvariants(t *testing.T) {
	begin, kinds, moves, known := time.Now(), map[string]int{}, 0, stillOpen(t)
	var virtual time.Duration
	RunMany(*from, *scenarios, Nothing, func(r Result) bool {
		virtual, moves = virtual+r.Took, moves+r.Moves
		invariant, isOpen := known[r.Seed]
		switch {
		case r.Broken == nil && isOpen:
			t.Errorf("seed %d holds: take it off testdata/open.txt", r.Seed)
			return true
		case r.Broken == nil:
			return true
		case isOpen && r.Broken.Invariant == invariant:
			t.Logf("still open: seed %d: %v", r.Seed, r.Broken)
			return true
		}
		kinds[r.Broken.Invariant]++
		if len(kinds) == 1 && kinds[r.Broken.Invariant] == 1 {
			t.Errorf("seed %d: %v\n%s", r.Seed, r.Broken, r.Tail)
		} else {
			t.Errorf("seed %d: %v", r.Seed, r.Broken)
		}
		t.Logf("%s %d", replay, r.Seed)
		return true
	})
	t.Logf("%d scenarios from seed %d, %v of virtual time with %d changes of owner, in %v; broken: %v",
		*scenarios, *from, virtual.Round(time.Hour), moves, time.Since(begin).Round(100*time.Millisecond), kinds)
	if moves == 0 {
		t.Error("nothing has ever moved")
	}
}

// A seed replays to the byte.
func TestAScenarioIsTheSameEachTime(t *testing.T) {
	seen := map[uint64]bool{}
	for s := range uint64(20) {
		var first, second strings.Builder
		a, b := Run(s+1, Nothing, &first), Run(s+1, Nothing, &second)
		if a.Hash != b.Hash || first.String() != second.String() {
			t.Errorf("seed %d: hash %x and %x", s+1, a.Hash, b.Hash)
		}
		seen[a.Hash] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 seeds have %d traces", len(seen))
	}
}
