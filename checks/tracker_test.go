package checks

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Each letter of a transcript is a result: p and f of scheduled attempts, P and F of confirm probes,
// l and L of attempts that this host could not make. The answer is the health after each: u, d or ?.
func TestTracker(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rise, fall int
		in, want   string // "!" before it: the server carries traffic
	}{
		{"the first pass admits", 3, 3, "p", "u"},
		{"the first failure decides at once", 3, 3, "f", "d"},
		{"fall failures in a row", 1, 3, "pfff", "uuud"},
		{"a pass forgives", 1, 3, "pffpffpfff", "uuuuuuuuud"},
		{"rise passes in a row", 3, 1, "fppp", "dddu"},
		{"a failure sets back", 3, 1, "fppfppfppp", "dddddddddu"},
		{"one is enough where one is asked", 1, 1, "pfpf", "udud"},
		{"a failed confirm probe is the whole fall", 2, 3, "pF", "ud"},
		{"a failed confirm probe completes a fall", 2, 3, "pfF", "uud"},
		{"a passed confirm probe forgives", 2, 2, "pfPf", "uuuu"},
		{"a passed confirm probe does not shorten rise", 2, 2, "fpPPPp", "dddddu"},
		{"a failed confirm probe sets rise back", 2, 2, "fpFpp", "ddddu"},
		{"a confirm probe may be the first", 2, 2, "P", "u"},
		{"and may fail", 2, 2, "F", "d"},
		{"what this host could not do does not count", 2, 2, "lpflfLl", "?uuuddd"},
		{"nor does it forgive", 2, 2, "fplp", "dddu"},
		{"who carries traffic fails as the living do", 2, 3, "!ffflpp", "??dddu"},
		{"and passes at once", 2, 3, "!ffpfff", "??uuud"},
		{"a failed confirm probe is enough", 2, 3, "!fF", "?d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, serving := strings.CutPrefix(tt.in, "!")
			tr := Tracker{Rise: tt.rise, Fall: tt.fall, Serving: serving}
			now := time.Unix(0, 0)
			var got strings.Builder
			for _, c := range in {
				now = now.Add(time.Second)
				was := tr.Observation()
				r := Result{OK: c == 'p' || c == 'P', Local: c == 'l' || c == 'L'}
				if !r.OK {
					r.Cause = "because"
				}
				take := tr.Observe
				if c < 'a' {
					take = tr.Confirm
				}
				o, changed := take(now, r)
				if changed != (o.Health != was.Health) || changed && !o.Since.Equal(now) || !changed && !o.Since.Equal(was.Since) {
					t.Errorf("after %q%c: %+v, changed %v, was %+v", got.String(), c, o, changed, was)
				}
				if (o.Health == fsm.Down) != (o.Cause == "because") {
					t.Errorf("after %q%c: health %s with cause %q", got.String(), c, o.Health, o.Cause)
				}
				got.WriteString(map[fsm.Health]string{fsm.Up: "u", fsm.Down: "d", fsm.Unknown: "?"}[o.Health])
			}
			if got.String() != tt.want {
				t.Errorf("%q gives %q, want %q", tt.in, got.String(), tt.want)
			}
		})
	}
}

func TestADeadServersCauseIsTheLatest(t *testing.T) {
	tr := Tracker{Rise: 2, Fall: 2}
	start := time.Unix(0, 0)
	tr.Observe(start, Result{Cause: "connection refused"})
	o, changed := tr.Observe(start.Add(time.Second), Result{Cause: "no answer in 1s"})
	if want := (Observation{Health: fsm.Down, Cause: "no answer in 1s", Since: start}); o != want || changed {
		t.Errorf("%+v, %v; want %+v unchanged", o, changed, want)
	}
}

// A live server never dies of fewer than Fall failures in a row unless a confirm probe failed, and a
// dead one never lives of fewer than Rise passes in a row.
func TestTrackerHoldsRiseAndFallForAnyResults(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		tr := Tracker{Rise: 1 + rng.IntN(4), Fall: 1 + rng.IntN(4)}
		passes, failures := 0, 0 // scheduled passes, and failures of any sort, in a row
		for i := range 300 {
			was := tr.Observation().Health
			ok, confirm := rng.IntN(2) == 0, rng.IntN(5) == 0
			switch {
			case !ok:
				passes, failures = 0, failures+1
			case confirm:
				failures = 0
			default:
				passes, failures = passes+1, 0
			}
			take := tr.Observe
			if confirm {
				take = tr.Confirm
			}
			o, _ := take(time.Unix(int64(i), 0), Result{OK: ok, Cause: "x"})
			if was == fsm.Up && o.Health == fsm.Down && failures < tr.Fall && !confirm {
				t.Fatalf("seed %d, step %d: dead after %d failures, fall is %d", seed, i, failures, tr.Fall)
			}
			if was == fsm.Down && o.Health == fsm.Up && passes < tr.Rise {
				t.Fatalf("seed %d, step %d: live after %d passes, rise is %d", seed, i, passes, tr.Rise)
			}
			if was == fsm.Up && o.Health == fsm.Up && failures >= tr.Fall {
				t.Fatalf("seed %d, step %d: live after %d failures, fall is %d", seed, i, failures, tr.Fall)
			}
		}
	}
}
