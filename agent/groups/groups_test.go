package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

func TestAMoveIsCarriedOutInItsOrder(t *testing.T) {
	w := newWorld(t, "g")
	w.wants("g")
	want := []string{"pull d1", "ask d1 g: yield", "claim g", "ask d1 g: claimed", "pull d1", "pull d1", "SetOwner"}
	got := w.await("SetOwner")
	if len(got) == len(want) {
		slices.Sort(got[3:5]) // they are begun at once
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheConnectionsOfAnOwnerThatWasAwayAreFetchedWhenItIsBack(t *testing.T) {
	w := newWorld(t, "g")
	pull := w.hold("pull d1")
	w.change(func() { w.away = true })
	w.wants("g")
	pull <- errRefused
	pull <- errRefused
	pull <- nil // it is back
	noted := w.await("SetOwner")
	if slices.Index(noted, "claim g") > slices.Index(noted, "pull d1") {
		t.Errorf("it waits for who does not answer: %q", noted)
	}
	w.end() // waits until nobody pulls any more
}

func TestWhatIsAskedOfTheKeeperIsAskedInTheOrderOfTheDecisions(t *testing.T) {
	w := newWorld(t, "g", "h")
	claim := w.hold("claim g")
	w.wants("g")
	w.await("claim g")
	conceded := make(chan error, 1)
	go func() {
		_, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Claimed, Epoch: 5})
		conceded <- err
	}()
	// Another group does not wait for it.
	if _, err := w.driver.Answer(t.Context(), "d1", "h", ownership.Question{Kind: ownership.Yield, Epoch: 5}); err != nil {
		t.Errorf("another group: %v", err)
	}
	noted := w.await("yield h")
	if slices.Contains(noted, "concede g") {
		t.Errorf("it concedes before the keeper has claimed: %q", noted)
	}
	claim <- nil
	if err := <-conceded; err != nil {
		t.Error(err)
	}
	noted = w.await("concede g")
	if slices.Index(noted, "concede g") < slices.Index(noted, "claim g") {
		t.Errorf("the order is %q", noted)
	}
}

func TestWhatWaitedTooLongForAFrozenKeeperIsNotAskedOfIt(t *testing.T) {
	w := newWorld(t, "g")
	frozen := w.hold("yield g")
	first := make(chan error, 1)
	go func() {
		_, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Yield, Epoch: 5})
		first <- err
	}()
	w.await("yield g")
	second := make(chan error, 1)
	go func() {
		_, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Claimed, Epoch: 5})
		second <- err
	}()
	for end := time.Now().Add(10 * time.Second); w.waiting("g") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second does not wait")
		}
	}
	w.later.Store(int64(stale + 1)) // the keeper was frozen, or the host suspended
	frozen <- nil
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("the second: %v", err)
	}
	if noted := w.await("yield g"); slices.Contains(noted, "concede g") {
		t.Errorf("it concedes long after it was decided: %q", noted)
	}
}

func TestAQuestionIsAnsweredOrRefusedWithItsReason(t *testing.T) {
	w := newWorld(t, "g")
	ask := func(group string, kind ownership.Kind, epoch uint64) (ownership.Attestation, error) {
		return w.driver.Answer(t.Context(), "d1", group, ownership.Question{Kind: kind, Epoch: epoch})
	}
	if word, err := ask("g", ownership.Attest, 0); err != nil || word.Named != "d1" || len(word.Hears) != 1 || word.Hears[0] != "d1" {
		t.Errorf("it says %+v, %v", word, err)
	}
	for want, got := range map[string]func() (ownership.Attestation, error){
		"knows no group x":        func() (ownership.Attestation, error) { return ask("x", ownership.Attest, 0) },
		"g is in epoch 4 already": func() (ownership.Attestation, error) { return ask("g", ownership.Yield, 4) },
	} {
		if _, err := got(); err == nil || err.Error() != want {
			t.Errorf("refused with %v, want %q", err, want)
		}
	}
	outcome := w.hold("yield g")
	go func() { outcome <- errRefused }()
	if _, err := ask("g", ownership.Yield, 5); err == nil || err.Error() != "keeper: refused" {
		t.Errorf("the keeper refuses: %v", err)
	}
}

func TestTheOwnerIsToldOfAddressesThatWereRemovedHere(t *testing.T) {
	w := newWorld(t, "g")
	if _, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Attest}); err != nil {
		t.Fatal(err)
	}
	w.driver.Fenced("unknown")
	w.driver.Fenced("g")
	w.await("ask d1 g: announce")
}

func TestAnAnswerIsNotWaitedForLongerThanItsDeadline(t *testing.T) {
	w := newWorld(t, "g")
	outcome := w.hold("yield g")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.driver.Answer(ctx, "d1", "g", ownership.Question{Kind: ownership.Yield, Epoch: 5}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("answered with %v", err)
	}
	outcome <- nil // late: nobody waits for the reply, and nothing hangs
	if _, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Attest}); err != nil {
		t.Error(err)
	}
}

func TestNobodyWaitsForADriverThatEnds(t *testing.T) {
	w := newWorld(t, "g")
	outcome := w.hold("yield g")
	answered := make(chan error, 1)
	go func() {
		_, err := w.driver.Answer(context.Background(), "d1", "g", ownership.Question{Kind: ownership.Yield, Epoch: 5})
		answered <- err
	}()
	w.await("yield g")
	go func() { outcome <- nil }()
	w.end()
	if err := <-answered; err != nil && !errors.Is(err, errEnded) {
		t.Errorf("answered with %v", err)
	}
	if _, err := w.driver.Answer(context.Background(), "d1", "g", ownership.Question{Kind: ownership.Attest}); !errors.Is(err, errEnded) {
		t.Errorf("after its end it answers with %v", err)
	}
}

func TestEveryActionHasAnOutcomeWithoutAKeeperToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, state: &fsm.State{
			Members: map[string]fsm.Member{"d1": {Name: "d1"}, "d2": {Name: "d2"}},
			Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 4}}, Config: fsm.Config{Routers: map[string]fsm.Router{"g": {Name: "g"}}},
		}}
		w.driver = New(w.config(keeperlink.New("/nowhere", nil, hclog.NewNullLogger())))
		ctx, cancel := context.WithCancel(t.Context())
		w.aside.Go(func() { _ = w.driver.Run(ctx) })
		for kind, want := range map[ownership.Kind]string{
			ownership.Yield: "keeper: the keeper does not answer", ownership.Claimed: "the keeper does not answer",
			ownership.Let: "does not own it",
		} {
			if _, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: kind, Epoch: 5}); err == nil || err.Error() != want {
				t.Errorf("%s: refused with %v, want %q", kind, err, want)
			}
		}
		cancel()
		w.aside.Wait()
	})
}

// vanishes has a group leave the configuration, and come back.
func (w *world) vanishes(name string) {
	w.t.Helper()
	spec := w.state.Config.Routers[name]
	w.change(func() { delete(w.state.Config.Routers, name); delete(w.state.Groups, name) })
	if _, err := w.driver.Answer(w.t.Context(), "d1", name, ownership.Question{Kind: ownership.Attest}); err == nil {
		w.t.Error("it is there yet")
	}
	w.change(func() {
		w.state.Config.Routers[name], w.state.Groups[name] = spec, fsm.Ownership{Owner: "d1", Epoch: 4}
	})
}

// waited reports whether a pull is waited for that has not begun.
func (ps *pulls) waited(from string) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.next[from] != nil
}

func TestAGroupThatComesBackHasNothingOfWhatTheOldOneWaitedFor(t *testing.T) {
	w := newWorld(t, "g")
	pull := w.hold("pull d1")
	w.wants("g")
	w.await("pull d1")
	w.vanishes("g")
	w.wants("g") // its first action has the ID of the old one's
	for !w.driver.pulls.waited("d1") {
		time.Sleep(time.Millisecond)
	}
	pull <- errRefused
	pull <- nil
	if noted := w.await("ask d1 g: yield"); slices.Contains(noted, "DropIntent") {
		t.Errorf("the outcome of the old one ended the move of the new one: %q", noted)
	}
	pull <- nil
	pull <- nil
	w.await("SetOwner")
}

func TestAQuestionAboutAGroupThatVanishesIsRefused(t *testing.T) {
	w := newWorld(t, "g")
	outcome := w.hold("yield g")
	refused := make(chan error, 1)
	go func() {
		_, err := w.driver.Answer(t.Context(), "d1", "g", ownership.Question{Kind: ownership.Yield, Epoch: 5})
		refused <- err
	}()
	w.await("yield g")
	w.vanishes("g")
	if err := <-refused; err == nil || err.Error() != "knows no group g" {
		t.Errorf("refused with %v", err)
	}
	outcome <- nil
}

func TestGroupsThatMoveTogetherShareTheirPulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, under atomic.Int32
		var waiters atomic.Int32
		d := New(Config{
			Go: func(f func()) { go f() },
			Pull: func(ctx context.Context, from string, _ bool, _ float64) (Coverage, error) {
				if under.Add(1) > 1 {
					t.Error("two are under way at a time")
				}
				defer under.Add(-1)
				time.Sleep(time.Second)
				if n := begun.Add(1); n == 1 {
					return Coverage{}, errRefused
				}
				return Coverage{}, nil
			},
		})
		d.ctx = t.Context()
		pull := func(want error) {
			go func() {
				if err := d.pull(t.Context(), "d1", false, 0); !errors.Is(err, want) {
					t.Errorf("it comes out as %v, want %v", err, want)
				}
				waiters.Add(-1)
			}()
			waiters.Add(1)
			synctest.Wait()
		}
		pull(errRefused) // it has begun: what it brings may be too old for the others
		for range 100 {
			pull(nil)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := d.pull(short, "d1", false, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that does not wait: %v", err)
		}
		time.Sleep(3 * time.Second)
		if waiters.Load() != 0 || begun.Load() != 2 {
			t.Errorf("%d pulls, and %d wait yet", begun.Load(), waiters.Load())
		}
	})
}

// many has a world of n groups whose driver a test turns by hand.
func many(n int) *Driver {
	w := &world{state: &fsm.State{Members: map[string]fsm.Member{}, Groups: map[string]fsm.Ownership{}, Config: fsm.Config{Routers: map[string]fsm.Router{}}}}
	for i := range 3 {
		name := fmt.Sprintf("d%d", i+1)
		w.state.Members[name] = fsm.Member{Name: name}
	}
	for i := range n {
		name := fmt.Sprintf("g%d", i)
		w.state.Config.Routers[name] = fsm.Router{Name: name, Interval: time.Second}
		w.state.Groups[name] = fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}
	}
	d := New(w.config(keeperlink.New("/nowhere", nil, hclog.NewNullLogger())))
	d.ctx = context.Background()
	return d
}

// Of what happens to many groups at once, the facts are gathered once.
func TestWhatHappensAtOnceIsToldInOneTurn(t *testing.T) {
	d := many(100)
	var gathered int
	now := d.cfg.Now
	d.cfg.Now = func() Now { gathered++; return now() }
	var replies []chan ownership.Reply
	for i := range 100 {
		reply := make(chan ownership.Reply, 1)
		replies = append(replies, reply)
		d.happened(happening{group: fmt.Sprintf("g%d", i), event: ownership.Asked{From: "d3", Question: ownership.Question{Kind: ownership.Attest}}, reply: reply})
	}
	d.turn()
	for _, reply := range replies {
		if r := <-reply; r.Word.Named != "d1" || strings.Contains(r.Refuse, "knows") {
			t.Errorf("a reply is %+v", r)
		}
	}
	if gathered != 1 {
		t.Errorf("the facts were gathered %d times", gathered)
	}
}

// What is shared by one who wants all of them is whole, whatever share of them must be here: a move by force skips no push.
func TestAPullIsOfAllConnectionsWhereOneWantsThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type asked struct {
			whole bool
			share float64
		}
		var got []asked
		d := New(Config{
			Go: func(f func()) { go f() },
			Pull: func(_ context.Context, _ string, whole bool, share float64) (Coverage, error) {
				time.Sleep(time.Second)
				got = append(got, asked{whole, share})
				return Coverage{}, nil
			},
		})
		d.ctx = t.Context()
		for _, a := range []asked{{false, 0}, {false, 0}, {true, 0}, {true, 0.5}, {true, 0}, {false, 0}} { // the first begins at once, and the others share the next
			go d.pull(t.Context(), "d1", a.whole, a.share)
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := []asked{{false, 0}, {true, 0.5}}; !slices.Equal(got, want) {
			t.Errorf("of all connections, and the share: %v, want %v", got, want)
		}
	})
}

func TestAPullThatBringsTooLittleIsAnError(t *testing.T) {
	d := New(Config{
		Go: func(f func()) { go f() },
		Pull: func(context.Context, string, bool, float64) (Coverage, error) {
			return Coverage{Have: 94, Total: 100}, nil
		},
	})
	d.ctx = t.Context()
	if err := d.pull(t.Context(), "d1", true, 0.94); err != nil {
		t.Errorf("as much as is wanted: %v", err)
	}
	if err := d.pull(t.Context(), "d1", true, 0.95); err == nil || err.Error() != "94 of 100 are here, less than 95%" {
		t.Errorf("less than is wanted: %v", err)
	}
	if got := (Coverage{}).Share(); got != 1 {
		t.Errorf("the share of nothing is %v", got)
	}
}
