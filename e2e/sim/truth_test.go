package sim

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

var (
	update = flag.Bool("update", false, "write the page of the truth table")
	times  = flag.Uint64("times", 1, "how often to play each cell of the truth table, with each interval and policy")
)

const page = "../../docs/ownership-truth-table.md"

// The page is the table.
func TestThePageOfTheTruthTable(t *testing.T) {
	if *update {
		if err := os.WriteFile(page, []byte(Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Document(), string(text)); diff != "" {
		t.Errorf("make truth-table writes it (-table +page):\n%s", diff)
	}
}

// Every cell of the truth table is as it says, however chance has it.
func TestTruthTable(t *testing.T) {
	seen := map[Situation]bool{}
	for _, r := range Truth {
		if seen[r.Situation] {
			t.Errorf("%v is there twice", r.Situation)
		}
		seen[r.Situation] = true
		t.Run(r.Situation.String(), func(t *testing.T) {
			t.Parallel()
			for i, loss := range Losses {
				cell := []string{r.Hold, r.Yield, r.Drop}[i]
				for seed := range *times {
					for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
						out, broken := r.Find(seed+1, loss, interval, Nothing)
						switch {
						case broken != nil:
							t.Errorf("%s, seed %d, %v: %v", loss, seed+1, interval, broken)
						case !allows(cell, out.Serves):
							t.Errorf("%s, seed %d, %v: %s, want %s", loss, seed+1, interval, out.Serves, cell)
						case i == 0 && !allows(r.Healed, out.Healed), out.Healed != "owner" && out.Healed != "another":
							t.Errorf("%s, seed %d, %v: after the heal %s, want %s", loss, seed+1, interval, out.Healed, r.Healed)
						}
					}
				}
			}
		})
	}
	for _, segment := range []Segment{Whole, Deaf, Parts, Alone, PairParts, PairAlone} {
		for _, port := range []Port{Open, Few, OwnerCut, OthersCut, AllCut} {
			if !seen[Situation{segment, port, false}] || port != Few && !seen[Situation{segment, port, true}] {
				t.Errorf("there is no row for %s, %s", segment, port)
			}
		}
	}
}

// So is every row of the table for one side.
func TestTruthTableOfOneSide(t *testing.T) {
	for _, r := range TruthOfOneSide {
		t.Run(r.Situation.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range 2 * *times {
				for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
					out, broken := r.play(seed+1, layout{interval: interval, onCut: fsm.OneSide})
					if broken != nil || !allows(r.Serves, out.Serves) || !allows(r.Healed, out.Healed) {
						t.Errorf("seed %d, %v: %s, after the heal %s, want %s and %s: %v", seed+1, interval, out.Serves, out.Healed, r.Serves, r.Healed, broken)
					}
				}
			}
		})
	}
}

// The table is not of the standard alone: without the guard, an owner that is not heard is taken from, and the one
// that is cut off takes.
func TestTheTruthTableFailsWithoutTheGuard(t *testing.T) {
	differs := 0
	for _, r := range Truth {
		out, broken := r.Find(1, fsm.HoldOn, time.Second, Guard)
		if broken != nil || !allows(r.Hold, out.Serves) {
			differs++
		} else if r.Segment == Deaf && r.Port == Open {
			t.Errorf("%v: %s without the guard too", r.Situation, out.Serves)
		}
	}
	t.Logf("%d of %d cells differ", differs, len(Truth))
	if differs < 4 {
		t.Error("these are too few")
	}
}
