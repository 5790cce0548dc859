package sim

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "replay the scenario of one seed")
	count = flag.Int("scenarios", 0, "how many scenarios")
)

// replay is how a scenario is seen again.
const replay = "go test ./e2e/sim -run TestScenario -v -seed"

func TestScenario(t *testing.T) {
	var out io.Writer
	if testing.Verbose() && *seed != 0 {
		out = os.Stdout
	}
	r := Run(max(*seed, 1), Nothing, out)
	if r.Broken != nil {
		t.Fatalf("%v\n%s\n%s %d", r.Broken, r.Tail, replay, r.Seed)
	}
	t.Logf("seed %d: %v of virtual time, %d changes of owner, hash %x\n%s", r.Seed, r.Took, r.Moves, r.Hash, strings.Join(r.Faults, "\n"))
}

func TestMany(t *testing.T) {
	n := *count
	if n == 0 {
		n = 200
	}
	start := time.Now()
	kinds := map[string]int{}
	broken := 0
	for s := range n {
		r := Run(uint64(s+1), Nothing, nil)
		if r.Broken == nil {
			continue
		}
		broken++
		what := r.Broken.(*violation).invariant
		if kinds[what]++; kinds[what] <= 8 {
			t.Errorf("seed %d: %v", r.Seed, r.Broken)
		}
	}
	t.Logf("%d scenarios in %v, %d broken: %v", n, time.Since(start).Round(time.Millisecond), broken, kinds)
}
