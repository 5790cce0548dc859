package hook

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is a time of the transcripts.
func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// player feeds a machine with a transcript. Its lines are a time and one of:
//
//	set NAME:STATE,STATE ... [on ADDRESS]   the hooks of the group
//	want STATE EPOCH
//	ok, bad                                 how the run ended
//	tick, remove
//
// and what the machine answers to each follows on lines that begin with a tab.
type player struct {
	m     *Machine
	names map[string]string // of keys
}

func (p *player) play(t *testing.T, transcript string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(transcript) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		f := strings.Fields(line)
		var when float64
		if _, err := fmt.Sscan(f[0], &when); err != nil || len(f) < 2 {
			continue // an answer of before
		}
		fmt.Fprintln(&out, line)
		for _, a := range p.m.Step(at(when), p.event(t, f[1:])) {
			fmt.Fprintln(&out, "\t"+p.words(a))
		}
		if due := p.m.Deadline(); !due.IsZero() {
			fmt.Fprintf(&out, "\tdue %v\n", due.Sub(at(0)))
		}
	}
	return out.String()
}

func (p *player) event(t *testing.T, f []string) Event {
	t.Helper()
	switch f[0] {
	case "set":
		var g Group
		for i, word := range f[1:] {
			if word == "on" {
				g.Addresses = []netip.Prefix{netip.MustParsePrefix(f[i+2])}
				break
			}
			name, states, _ := strings.Cut(word, ":")
			h := Hook{Name: name, Command: []string{"/bin/true"}}
			for s := range strings.SplitSeq(states, ",") {
				h.On = append(h.On, State(s))
			}
			g.Hooks = append(g.Hooks, h)
		}
		for _, h := range g.Hooks {
			p.names[key(h, g.Addresses)] = h.Name
		}
		return Configured{g}
	case "want":
		w := Wish{State: State(f[1])}
		if _, err := fmt.Sscan(f[2], &w.Epoch); err != nil {
			t.Fatal(err)
		}
		return Wanted{w}
	case "ok", "bad":
		return Ended{f[0] == "ok"}
	case "remove":
		return Removed{}
	case "tick":
		return Ticked{}
	}
	t.Fatalf("no event %q", f)
	return nil
}

func (p *player) words(a Action) string {
	switch a := a.(type) {
	case Keep:
		var words strings.Builder
		fmt.Fprintf(&words, "keep %s %d", a.Record.State, a.Record.Epoch)
		for _, key := range a.Record.Done {
			words.WriteString(" " + p.names[key])
		}
		return words.String()
	case Start:
		return fmt.Sprintf("start %s for %s %d, try %d", a.Run.Hook(), a.Run.State, a.Run.Epoch, a.Run.Attempt)
	case Kill:
		return "kill"
	}
	return "?"
}

func newPlayer() *player {
	return &player{m: NewMachine("gateway", Timing{}, Record{}), names: map[string]string{}}
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, transcript string }{
		{"hooks run in order, once, and not again for the same wish", `
0 set a:owner b:owner c:standby
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 ok
	keep owner 5 a
	start b for owner 5, try 1
2 ok
	keep owner 5 a b
3 want owner 5
`},
		{"one that fails is tried again, later and later, and holds up no other", `
0 set a:owner b:owner
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 bad
	start b for owner 5, try 1
1.5 ok
	keep owner 5 b
	due 2s
2 tick
	start a for owner 5, try 2
3 bad
	due 5s
4 tick
	due 5s
5 tick
	start a for owner 5, try 3
6 ok
	keep owner 5 b a
`},
		{"what runs when the state is another has some time, is killed, and counts for nothing", `
0 set a:owner b:standby
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 want standby 6
	due 6s
2 tick
	due 6s
6 tick
	kill
7 bad
	keep standby 6
	start b for standby 6, try 1
8 ok
	keep standby 6 b
`},
		{"it may end by itself, and counts for nothing either", `
0 set a:owner b:standby
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 want standby 6
	due 6s
2 ok
	keep standby 6
	start b for standby 6, try 1
3 ok
	keep standby 6 b
`},
		{"what was not begun is skipped", `
0 set a:owner b:standby
0 want standby 4
	keep standby 4
	start b for standby 4, try 1
1 want owner 5
	due 6s
1 want standby 6
1.5 want owner 7
	due 6.5s
2 want standby 8
3 ok
	keep standby 4 b
	keep standby 8 b
`},
		{"an older epoch is not heard", `
0 set a:owner b:standby
0 want standby 6
	keep standby 6
	start b for standby 6, try 1
1 want owner 5
2 ok
	keep standby 6 b
`},
		{"an owner's hooks are due in every epoch", `
0 set a:owner b:standby
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 ok
	keep owner 5 a
2 want owner 6
	keep owner 6
	start a for owner 6, try 1
3 want owner 7
	due 8s
4 ok
	keep owner 7
	start a for owner 7, try 1
5 ok
	keep owner 7 a
`},
		{"a standby's are not", `
0 set a:owner b:standby
0 want standby 5
	keep standby 5
	start b for standby 5, try 1
0.5 want standby 6
1 ok
	keep standby 5 b
	keep standby 6 b
2 want standby 7
	keep standby 7 b
`},
		{"an owner that was something else in between does all again", `
0 set a:owner b:standby
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 want standby 5
	due 6s
1 want owner 5
	due 6s
2 ok
	keep owner 5
	start a for owner 5, try 1
3 ok
	keep owner 5 a
`},
		{"a state without hooks counts as well", `
0 set b:standby
0 want standby 5
	keep standby 5
	start b for standby 5, try 1
1 ok
	keep standby 5 b
2 want owner 6
	keep owner 6
3 want standby 7
	keep standby 7
	start b for standby 7, try 1
`},
		{"a hook that is new is run, one that changed is run again", `
0 set a:owner
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 ok
	keep owner 5 a
2 set a:owner b:owner
	start b for owner 5, try 1
3 ok
	keep owner 5 a b
4 set a:owner b:owner on 192.0.2.1/24
	keep owner 5
	start a for owner 5, try 1
5 set a:owner
	due 10s
6 ok
	start a for owner 5, try 1
7 ok
	keep owner 5 a
`},
		{"a new epoch is a new beginning for what fails", `
0 set a:standby
0 want standby 5
	keep standby 5
	start a for standby 5, try 1
1 bad
	due 2s
1.1 want standby 5
	due 2s
1.2 want standby 6
	keep standby 6
	start a for standby 6, try 1
`},
		{"a group that is removed is stopped, but not for ever", `
0 set a:owner s:stop
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 ok
	keep owner 5 a
2 remove
	keep stop 5
	start s for stop 5, try 1
2.5 want owner 6
3 bad
	due 4s
4 tick
	start s for stop 5, try 2
5 bad
	due 7s
7 tick
	start s for stop 5, try 3
8 bad
`},
		{"a group that comes back waits for a wish", `
0 set a:owner s:stop
0 want owner 5
	keep owner 5
	start a for owner 5, try 1
1 remove
	due 6s
2 set a:owner s:stop
	due 6s
3 want owner 5
	due 6s
4 ok
	keep owner 5
	start a for owner 5, try 1
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.TrimPrefix(tt.transcript, "\n")
			if diff := cmp.Diff(want, newPlayer().play(t, tt.transcript)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARestartRunsOnlyWhatIsNotDone(t *testing.T) {
	t.Parallel()
	setup := "0 set a:owner b:owner c:standby\n"
	for _, tt := range []struct {
		name       string
		kept       Record
		wish, want string
	}{
		{"all was done", Record{Owner, 5, []string{"a", "b"}}, "1 want owner 5", ""},
		{"some was done", Record{Owner, 5, []string{"a"}}, "1 want owner 5", "\tstart b for owner 5, try 1\n"},
		{"it was begun only", Record{Owner, 5, nil}, "1 want owner 5", "\tstart a for owner 5, try 1\n"},
		{"the epoch is another", Record{Owner, 5, []string{"a", "b"}}, "1 want owner 6", "\tkeep owner 6\n\tstart a for owner 6, try 1\n"},
		{"the state is another", Record{Owner, 5, []string{"a", "b"}}, "1 want standby 6", "\tkeep standby 6\n\tstart c for standby 6, try 1\n"},
		{"an epoch of another life", Record{Standby, 500, []string{"c"}}, "1 want standby 1", "\tkeep standby 1 c\n"},
		{"nothing is known", Record{}, "1 want standby 1", "\tkeep standby 1\n\tstart c for standby 1, try 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, name := range tt.kept.Done {
				on := Owner
				if name == "c" {
					on = Standby
				}
				tt.kept.Done[i] = key(Hook{Name: name, On: []State{on}, Command: []string{"/bin/true"}}, nil)
			}
			p := newPlayer()
			p.m = NewMachine("gateway", Timing{}, tt.kept)
			if diff := cmp.Diff(setup+tt.wish+"\n"+tt.want, p.play(t, setup+tt.wish)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTriesAreDoubledUpToALimit(t *testing.T) {
	t.Parallel()
	m := NewMachine("gateway", Timing{}, Record{})
	var got []time.Duration
	for _, n := range []int{1, 2, 3, 6, 7, 8, 1 << 40} {
		got = append(got, m.backoff(n))
	}
	if diff := cmp.Diff([]time.Duration{1e9, 2e9, 4e9, 32e9, 60e9, 60e9, 60e9}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
