package groups

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// An owner that gave a group up on the wire is there for a while, for who takes it by its timer: no move brings those connections here.
func TestTheConnectionsOfTheFormerOwnerAreFetchedByWhoTookOnTheWire(t *testing.T) {
	for name, tt := range map[string]struct {
		log  string // the owner that it names
		move bool   // one is under way, and nothing is claimed yet
	}{
		"the log names the one that was heard": {"d1", false},
		"the log does not know of it":          {"d2", false},
		"a move was under way":                 {"d1", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "g")
			if tt.move {
				yields := w.hold("ask d1 g: yield")
				defer close(yields)
				w.wants("g")
				w.await("ask d1 g: yield")
			}
			w.change(func() { w.names("g", tt.log) })
			w.looked("g", ownership.Standby)
			w.change(func() {
				w.noted = nil // what was fetched before counts for nothing
				w.parts["g"], w.member["g"] = "active", ownership.Standby
			})
			w.looked("g", ownership.Owner)
			if noted := w.await("pull d1"); slices.ContainsFunc(noted[:slices.Index(noted, "pull d1")], func(what string) bool { return what == "SetOwner" || what == "DropIntent" }) {
				t.Errorf("the log was told first: %q", noted)
			}
		})
	}
}

func TestAMoveFetchesNoMoreThanItNeeds(t *testing.T) {
	w := newWorld(t, "g")
	claimed := w.hold("ask d1 g: claimed")
	w.wants("g")
	w.await("ask d1 g: claimed")
	w.looked("g", ownership.Owner)
	claimed <- nil
	pulls := 0
	for _, what := range w.await("SetOwner") {
		if what == "pull d1" {
			pulls++
		}
	}
	if pulls != 3 { // all, the new ones at the claim, and the last ones
		t.Errorf("it asks %d times", pulls)
	}
}

// names has the log name an owner, without the lock.
func (w *world) names(group, owner string) {
	g := w.state.Groups[group]
	g.Owner = owner
	w.state.Groups[group] = g
}

// looked waits until the driver has seen what its keeper is to a group.
func (w *world) looked(group string, part ownership.Part) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if st, ok := w.driver.cfg.Keeper.Status().Group(group); ok && Part(st.State) == part {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("the keeper is not seen to be %v", part)
		}
	}
	if _, err := w.driver.Answer(w.t.Context(), "d1", group, ownership.Question{Kind: ownership.Attest}); err != nil {
		w.t.Logf("it looks, and answers %v", err)
	}
}

// A pull that began before the former owner had dropped the addresses may lack what began since.
func TestAFormerOwnerIsAskedAgainWhenItsTableIsFinal(t *testing.T) {
	for name, tt := range map[string]struct {
		took  time.Duration // a pull
		fails int           // the first ones
		again time.Duration // when another group was taken from it; 0: none
		want  []time.Duration
	}{
		"it answers at once":               {time.Millisecond, 0, 0, []time.Duration{0, ownership.PushAfter}},
		"its answer takes long":            {time.Second, 0, 0, []time.Duration{0, time.Second + time.Millisecond}},
		"it is away for a while":           {0, 2, 0, []time.Duration{0, chaseEvery, 2 * chaseEvery}},
		"another group follows":            {time.Millisecond, 0, 40 * time.Millisecond, []time.Duration{0, ownership.PushAfter, 40*time.Millisecond + ownership.PushAfter}},
		"another follows at the same time": {time.Second, 0, time.Millisecond, []time.Duration{0, time.Second + time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var asked []time.Duration
				d := New(Config{
					Go: func(f func()) { go f() },
					Pull: func(context.Context, string, bool, float64) (Coverage, error) {
						asked = append(asked, time.Since(began))
						time.Sleep(tt.took)
						if len(asked) <= tt.fails {
							return Coverage{}, errRefused
						}
						return Coverage{}, nil
					},
				})
				d.ctx = t.Context()
				d.chase("d1")
				if tt.again > 0 {
					time.Sleep(tt.again)
					d.chase("d1")
				}
				time.Sleep(2 * chaseFor)
				synctest.Wait()
				if !slices.Equal(asked, tt.want) {
					t.Errorf("asked after %v, want %v", asked, tt.want)
				}
			})
		})
	}
}

func TestAnOwnerThatIsGoneIsNotAskedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, last := time.Now(), time.Now()
		d := New(Config{
			Go: func(f func()) { go f() },
			Pull: func(context.Context, string, bool, float64) (Coverage, error) {
				last = time.Now()
				return Coverage{}, errRefused
			},
		})
		d.ctx = t.Context()
		d.chase("d1")
		time.Sleep(2 * chaseFor)
		synctest.Wait()
		if took := last.Sub(began); took < chaseFor-chaseEvery || took > chaseFor+chaseEvery {
			t.Errorf("asked last after %v", took)
		}
		if len(d.pulls.chased) > 0 {
			t.Error("it is not forgotten")
		}
	})
}

// Who served has nothing to fetch, and who starts does not know that it did not.
func TestNobodyIsAskedForConnectionsWhereNothingWasTaken(t *testing.T) {
	var asked []string
	d := New(Config{Go: func(f func()) { f() }, Pull: func(_ context.Context, from string, _ bool, _ float64) (Coverage, error) {
		asked = append(asked, from)
		return Coverage{}, nil
	}})
	d.ctx = t.Context()
	for name, parts := range map[string][]ownership.Part{
		"it starts and its keeper serves": {ownership.Absent, ownership.Owner},
		"it goes on":                      {ownership.Owner, ownership.Owner},
		"it gives up":                     {ownership.Owner, ownership.Standby},
	} {
		x := &group{name: "g", machine: ownership.NewMachine()}
		for _, p := range parts {
			d.lookOwned(x, ownership.Facts{Self: "d2", Log: fsm.Ownership{Owner: "d1"}, Keeper: ownership.Keeper{Part: p}})
		}
		if len(asked) > 0 {
			t.Errorf("%s: asked %q", name, asked)
		}
	}
}
