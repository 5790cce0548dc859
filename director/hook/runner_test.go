package hook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/program"
)

// world is what hooks act upon: of every group and hook, what it was last made. While a hook works, and
// after one that failed or was killed, that is nothing in particular.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	rand   *rand.Rand
	is     map[string]string // "group/hook" to what it was made
	busy   map[string]int
	epochs map[string]uint64 // newest that was begun
	runs   int
	killed int
	failed int
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)),
		is: map[string]string{}, busy: map[string]int{}, epochs: map[string]uint64{},
	}
}

// execute is a hook at work: it takes up to 20 s, and every third one fails.
func (w *world) execute(ctx context.Context, run Run) (program.Outcome, <-chan struct{}, error) {
	place := run.Group + "/" + run.Hook()
	w.mu.Lock()
	w.runs++
	if w.busy[run.Group]++; w.busy[run.Group] > 1 {
		w.t.Errorf("%d hooks of %s run at once", w.busy[run.Group], run.Group)
	}
	if run.Epoch < w.epochs[run.Group] {
		w.t.Errorf("%s is run for epoch %d, after %d", place, run.Epoch, w.epochs[run.Group])
	}
	w.epochs[run.Group] = run.Epoch
	delete(w.is, place)
	took := time.Duration(w.rand.Int64N(int64(time.Second)))
	if w.rand.IntN(4) == 0 {
		took *= 20
	}
	fails := w.rand.IntN(3) == 0
	w.mu.Unlock()
	var err error
	select {
	case <-time.After(took):
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := make(chan struct{})
	late := time.Duration(w.rand.Int64N(int64(time.Second))) // the kernel has its time too
	go func() {
		time.Sleep(late)
		w.mu.Lock()
		w.busy[run.Group]--
		w.mu.Unlock()
		close(ended)
	}()
	switch {
	case err != nil:
		w.killed++
		return program.Outcome{Exit: -1}, ended, err
	case fails:
		w.failed++
		return program.Outcome{Exit: 1}, ended, nil
	}
	w.is[place] = string(run.State)
	if run.State == Owner {
		w.is[place] += fmt.Sprint(" ", run.Epoch)
	}
	return program.Outcome{}, ended, nil
}

func (w *world) runner(file string, reports func(Report)) *Runner {
	r := New(Config{Director: "d1", File: file, Report: reports, Log: hclog.NewNullLogger()})
	r.execute = w.execute
	return r
}

// TestAThousandTransitionsEndInTheRightState is the promise of the package: whatever changes while hooks
// are slow, fail, are killed and forgotten by a restart, in the end the world is as was wanted last.
func TestAThousandTransitionsEndInTheRightState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seed, transitions = 7, 1000
		w := newWorld(t, seed)
		file := t.TempDir() + "/hooks.json"
		random := rand.New(rand.NewPCG(seed, 2))
		all := Hook{Name: "all", Command: []string{"/all"}}
		groups := map[string]Group{
			"a": {Hooks: []Hook{all, {Name: "own", On: []State{Owner}, Command: []string{"/own"}}, {Name: "rest", On: []State{Standby, Fault, Stop}, Command: []string{"/rest"}}}},
			"b": {Hooks: []Hook{{Name: "own", On: []State{Owner}, Command: []string{"/own"}}, all}},
			"c": {Hooks: []Hook{{Name: "pair", On: []State{Owner, Standby}, Command: []string{"/pair"}}}},
		}
		names := slices.Sorted(maps.Keys(groups))
		wishes := map[string]Wish{}
		start := func() (*Runner, func()) {
			r := w.runner(file, nil)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- r.Run(ctx) }()
			r.Set(groups)
			for name, wish := range wishes {
				r.Want(name, wish)
			}
			return r, func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run = %v", err)
				}
			}
		}
		r, stop := start()
		for i := range transitions {
			name := names[random.IntN(len(names))]
			wish := wishes[name]
			wish.State = []State{Owner, Standby, Standby, Fault, Stop}[random.IntN(5)]
			wish.Epoch += uint64(random.IntN(2))
			if wish.State == Owner && wishes[name].State != Owner {
				wish.Epoch++
			}
			wishes[name] = wish
			if !r.Want(name, wish) {
				t.Fatalf("%+v was not taken", wish)
			}
			if random.IntN(10) == 0 && wish.Epoch > 0 && r.Want(name, Wish{State: Owner, Epoch: wish.Epoch - 1}) {
				t.Fatal("an older epoch was taken")
			}
			time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
			if random.IntN(50) == 0 {
				time.Sleep(5 * time.Minute)
			}
			if i%100 == 99 {
				stop()
				time.Sleep(time.Second) // what was killed has ended
				r, stop = start()
			}
		}
		settling, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := r.Settle(settling); err != nil {
			t.Fatalf("Settle = %v", err)
		}
		stop()
		for name, g := range groups {
			for _, task := range g.tasks(wishes[name].State) {
				want := string(wishes[name].State)
				if want == string(Owner) {
					want += fmt.Sprint(" ", wishes[name].Epoch)
				}
				if got := w.is[name+"/"+task.hook.label()]; got != want {
					t.Errorf("%s/%s was made %q, want %q", name, task.hook.label(), got, want)
				}
			}
		}
		if w.killed < 20 || w.failed < 100 || w.runs < transitions/2 {
			t.Errorf("%d runs, %d failed, %d killed: too tame", w.runs, w.failed, w.killed)
		}
		t.Logf("%d runs, %d failed, %d killed", w.runs, w.failed, w.killed)
	})
}

func TestEveryRunIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		r := New(Config{Report: func(rep Report) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf("%s %s %s %d #%d ok=%v stale=%v exit=%d %q again %v after %v",
				rep.Group, rep.Hook, rep.State, rep.Epoch, rep.Attempt, rep.OK, rep.Stale, rep.Exit, rep.Problem, rep.Again, rep.Took))
		}})
		results := []error{nil, context.DeadlineExceeded, nil, nil}
		outs := []program.Outcome{{Exit: 3, Stderr: "no\n"}, {Exit: -1}, {}, {}}
		r.execute = func(ctx context.Context, run Run) (program.Outcome, <-chan struct{}, error) {
			ended := make(chan struct{})
			close(ended)
			if run.State == Standby {
				<-ctx.Done()
				return program.Outcome{Exit: -1}, ended, ctx.Err()
			}
			time.Sleep(time.Second)
			err, out := results[0], outs[0]
			results, outs = results[1:], outs[1:]
			return out, ended, err
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Set(map[string]Group{"g": {Hooks: []Hook{{Command: []string{"/h"}}}}})
		r.Want("g", Wish{State: Owner, Epoch: 5})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Want("g", Wish{State: Standby, Epoch: 6})
		time.Sleep(time.Second)
		r.Want("g", Wish{State: Owner, Epoch: 7})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.Want("x", Wish{State: Owner, Epoch: 7}) {
			t.Error("a wish for a group that is not set was taken")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			`g /h owner 5 #1 ok=false stale=false exit=3 "exit status 3: no" again 1s after 1s`,
			`g /h owner 5 #2 ok=false stale=false exit=-1 "no exit in 30s" again 2s after 1s`,
			`g /h owner 5 #3 ok=true stale=false exit=0 "" again 0s after 1s`,
			`g /h standby 6 #1 ok=false stale=true exit=-1 "killed: the state is another" again 0s after 6s`,
			`g /h owner 7 #1 ok=true stale=false exit=0 "" again 0s after 1s`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestAGroupThatIsRemovedIsStoppedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		file := t.TempDir() + "/hooks.json"
		r := w.runner(file, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Set(map[string]Group{"g": {Hooks: []Hook{{Name: "h", Command: []string{"/h"}}}}, "idle": {}})
		r.Want("g", Wish{State: Owner, Epoch: 5})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Set(nil)
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.is["g/h"]; got != "stop" {
			t.Errorf("it was made %q, want stop", got)
		}
		cancel()
		<-done
		if kept := newFile(file, hclog.NewNullLogger()).read(); len(kept) != 0 {
			t.Errorf("%+v is kept", kept)
		}
	})
}

func TestWhatIsBegunIsOnDiskBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := t.TempDir() + "/hooks.json"
		r := New(Config{File: file})
		from := time.Now()
		r.execute = func(context.Context, Run) (program.Outcome, <-chan struct{}, error) {
			if took := time.Since(from); took != 0 {
				t.Errorf("it began after %v, want at once", took)
			}
			kept := newFile(file, hclog.NewNullLogger()).read()
			if got, want := kept["g"], (Record{State: Owner, Epoch: 5}); got.State != want.State || got.Epoch != want.Epoch || got.Done != nil {
				t.Errorf("on disk is %+v, want %+v", got, want)
			}
			ended := make(chan struct{})
			close(ended)
			return program.Outcome{}, ended, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Set(map[string]Group{"g": {Hooks: []Hook{{Command: []string{"/h"}}}}})
		r.Want("g", Wish{State: Owner, Epoch: 5})
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-done
		if kept := newFile(file, hclog.NewNullLogger()).read()["g"]; len(kept.Done) != 1 {
			t.Errorf("after it: %+v", kept)
		}
	})
}

func TestAFullDiskDelaysAHookASecondAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		r := w.runner(t.TempDir()+"/no/such/directory", nil)
		begun := make(chan time.Duration, 1)
		from := time.Now()
		r.execute = func(context.Context, Run) (program.Outcome, <-chan struct{}, error) {
			begun <- time.Since(from)
			ended := make(chan struct{})
			close(ended)
			return program.Outcome{}, ended, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Set(map[string]Group{"g": {Hooks: []Hook{{Command: []string{"/h"}}}}})
		r.Want("g", Wish{State: Owner, Epoch: 5})
		if took := <-begun; took != diskGrace {
			t.Errorf("it began after %v, want %v", took, diskGrace)
		}
		cancel()
		<-done
	})
}

func TestAFileThatCannotBeReadIsAsIfItWereNotThere(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `{"version": 99, "groups": {"g": {"state": "owner"}}}`} {
		file := t.TempDir() + "/hooks.json"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := newFile(file, hclog.NewNullLogger()).read(); got == nil || len(got) != 0 {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestSettleEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := New(Config{}) // nobody runs it
	r.Set(map[string]Group{"g": {Hooks: []Hook{{Command: []string{"/h"}}}}})
	if err := r.Settle(t.Context()); err != nil {
		t.Errorf("with nothing wanted: %v", err)
	}
	r.Want("g", Wish{State: Owner, Epoch: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Settle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a hook that cannot run: %v, want %v", err, context.Canceled)
	}
}
