package agent

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/fsm"
)

// giving is a cluster of three in which d1 gives g away.
type giving struct {
	leader   string
	owner    string // who has the addresses
	log      fsm.Ownership
	more     []string // groups that are as g is
	resigned []string
	ready    bool // d2 can take it
	present  bool // d1 has the addresses still, though another has taken over
	mute     bool // d1's keeper does not answer
	full     bool // d2 is not ready for its disk alone
	silent   bool // d2 is not heard of
	lately   bool // d2 was there and ready not long ago
	given    time.Time
	propose  func(ctx context.Context, in fsm.SetIntent) error
	coming   []coming
}

// coming is what will happen. It does as soon as somebody looks: all of it is of one goroutine.
type coming struct {
	at time.Time
	do func()
}

func (c *giving) later(after time.Duration, do func()) {
	c.coming = append(c.coming, coming{time.Now().Add(after), do})
}

func (c *giving) look() {
	now := time.Now()
	c.coming = slices.DeleteFunc(c.coming, func(x coming) bool {
		due := !x.at.After(now)
		if due {
			x.do()
		}
		return due
	})
}

func (c *giving) leads() string {
	c.look()
	return c.leader
}

func newGiving() *giving {
	c := &giving{leader: "d2", owner: "d1", ready: true, lately: true, log: fsm.Ownership{Owner: "d1", Epoch: 1, Order: []string{"d1", "d2"}}}
	c.propose = func(_ context.Context, in fsm.SetIntent) error {
		c.log.Intent = &in.Intent
		return nil
	}
	return c
}

func (c *giving) giver() giver {
	return giver{
		self: "d1", log: hclog.NewNullLogger(),
		owned: func() ([]string, bool) {
			c.look()
			if c.owner == "d1" && !c.mute {
				return []string{"g"}, true
			}
			return nil, !c.mute
		},
		state: func() *fsm.State {
			groups := map[string]fsm.Ownership{"g": c.log}
			for _, name := range c.more {
				groups[name] = c.log
			}
			return &fsm.State{
				Groups:  groups,
				Members: map[string]fsm.Member{"d1": {Name: "d1", Role: fsm.RoleDirector}, "d2": {Name: "d2", Role: fsm.RoleDirector}},
				Config:  fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": {Name: "web"}})},
			}
		},
		live: func() map[string]received {
			c.look()
			if c.silent {
				return nil
			}
			state := "backup"
			if c.owner == "d2" {
				state = "active"
			}
			groups := map[string]groupReport{"g": {State: state}}
			for _, name := range c.more {
				groups[name] = groups["g"]
			}
			return map[string]received{"d2": {report: report{Name: "d2", Ready: c.ready, Holds: c.full, Groups: groups}}}
		},
		kept: func() []string {
			c.look()
			if c.owner == "d1" || c.present {
				return []string{"g"}
			}
			return nil
		},
		lately: func(string) bool { return c.lately },
		leader: c.leads,
		propose: func(ctx context.Context, cmd fsm.Command) error {
			return c.propose(ctx, cmd.(fsm.SetIntent))
		},
		resign: func(_ context.Context, group string) {
			c.resigned, c.owner = append(c.resigned, group), ""
		},
		fetched: func(by string, since time.Time) bool { return by == c.owner && !c.given.Before(since) },
		given:   map[string]parting{},
	}
}

// moves has d2 take what the log wants it to a moment later.
func (c *giving) moves(after time.Duration) {
	c.later(after, func() { c.owner, c.log = "d2", fsm.Ownership{Owner: "d2", Epoch: 2, Order: c.log.Order} })
}

// unled has nobody lead for a while, and then another. What is proposed meanwhile waits, as long as the proposer does.
func (c *giving) unled(from, until time.Duration) {
	c.later(from, func() { c.leader = "" })
	c.later(until, func() { c.leader = "d3" })
	proposed := c.propose
	c.propose = func(ctx context.Context, in fsm.SetIntent) error {
		for c.leads() == "" {
			if !sleep(ctx, 10*time.Millisecond) {
				return errors.New("no leader")
			}
		}
		return proposed(ctx, in)
	}
}

func TestWhoStopsWaitsForTheNextLeader(t *testing.T) {
	for name, tt := range map[string]struct {
		from, until time.Duration
		hangs       bool // what was proposed to the leader that is lost gets no answer
	}{
		"nobody leads when it begins":           {0, 6 * time.Second, false},
		"nobody leads for long":                 {0, electionLimit, false},
		"the leader is lost while it is asked":  {time.Second, 6 * time.Second, true},
		"the next one comes as its time is out": {time.Second, beginLimit - 10*time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				proposed := c.propose
				c.propose = func(ctx context.Context, in fsm.SetIntent) error {
					if tt.hangs && c.leader == "d2" {
						<-ctx.Done()
						return ctx.Err()
					}
					c.moves(300 * time.Millisecond)
					return proposed(ctx, in)
				}
				c.unled(tt.from, tt.until)
				began := time.Now()
				time.Sleep(time.Millisecond)
				left := c.giver().moveAll(t.Context(), "d1 stops", nil)
				if len(left) > 0 || c.owner != "d2" {
					t.Errorf("after %v: left %v, %q owns", time.Since(began), left, c.owner)
				}
			})
		})
	}
}

// A move comes to nothing while nobody leads, and the next leader is told so late.
func TestWhoStopsBeginsAnewWhereTheLeaderIsLostInTheMiddleOfAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGiving()
		asked := 0
		proposed := c.propose
		c.propose = func(ctx context.Context, in fsm.SetIntent) error {
			if asked++; asked == 2 {
				c.moves(300 * time.Millisecond)
			}
			return proposed(ctx, in)
		}
		c.unled(200*time.Millisecond, 7*time.Second)
		c.later(7*time.Second+100*time.Millisecond, func() { c.log.Intent = nil })
		if left := c.giver().moveAll(t.Context(), "d1 stops", nil); len(left) > 0 || asked != 2 {
			t.Errorf("left %v, asked %d times", left, asked)
		}
	})
}

func TestWhoStopsDoesNotWaitForEver(t *testing.T) {
	for name, tt := range map[string]struct {
		leader string
		silent bool // who could take it
		full   bool // its disk
		lately bool
		want   time.Duration
	}{
		"nobody leads, and somebody could take it":        {"", false, false, true, electionLimit + beginLimit},
		"nobody leads, and nobody could for a moment":     {"", true, false, true, electionLimit + beginLimit},
		"nobody leads, and nobody has been able for long": {"", true, false, false, 0},
		"nobody could for a moment":                       {"d2", true, false, true, beginLimit},
		"nobody has been able for long":                   {"d2", true, false, false, 0},
		"the disk of who could is full":                   {"d2", false, true, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				c.leader, c.silent, c.full, c.ready, c.lately = tt.leader, tt.silent, tt.full, !tt.full, tt.lately
				c.propose = func(context.Context, fsm.SetIntent) error { return errors.New("not agreed") }
				began := time.Now()
				left := c.giver().moveAll(t.Context(), "d1 stops", nil)
				if took := time.Since(began); len(left) != 1 || took < tt.want || took > tt.want+time.Second {
					t.Errorf("left %v after %v", left, took)
				}
			})
		})
	}
}

// The one that could take it is late by a beat, or catches up with the next leader's log.
func TestWhoStopsLooksForSomebodyForAsLongAsAMoveMayTakeToBegin(t *testing.T) {
	for name, lapse := range map[string]struct {
		begins func(*giving)
		ends   func(*giving)
	}{
		"it is not heard of":             {func(c *giving) { c.silent = true }, func(c *giving) { c.silent = false }},
		"it is not ready":                {func(c *giving) { c.ready = false }, func(c *giving) { c.ready = true }},
		"its own keeper does not answer": {func(c *giving) { c.mute = true }, func(c *giving) { c.mute = false }},
		"nobody leads, too":              {func(c *giving) { c.silent, c.leader = true, "" }, func(c *giving) { c.silent, c.leader = false, "d3" }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				lapse.begins(c)
				c.later(beginLimit-10*time.Millisecond, func() { lapse.ends(c) })
				proposed := c.propose
				c.propose = func(ctx context.Context, in fsm.SetIntent) error {
					c.moves(300 * time.Millisecond)
					if !sleep(ctx, 100*time.Millisecond) {
						return ctx.Err()
					}
					return proposed(ctx, in)
				}
				if left := c.giver().moveAll(t.Context(), "d1 stops", nil); len(left) > 0 || c.owner != "d2" {
					t.Errorf("left %v, %q owns", left, c.owner)
				}
			})
		})
	}
}

// What is not moved in time is given up on the wire as long as the agent is there for who takes it.
func TestWhatDidNotMoveIsGivenUpOnTheWire(t *testing.T) {
	for name, tt := range map[string]struct {
		taken time.Duration
		given []time.Duration // of when the connections are that d2 is given
		want  time.Duration
	}{
		"it fetches when it has taken":            {300 * time.Millisecond, []time.Duration{400 * time.Millisecond}, 400 * time.Millisecond},
		"what it has is older":                    {300 * time.Millisecond, nil, letGoLimit},
		"the table was not final":                 {time.Millisecond, []time.Duration{2 * time.Millisecond}, letGoLimit},
		"the table was not final, and it was new": {time.Millisecond, []time.Duration{2 * time.Millisecond, 70 * time.Millisecond}, 70 * time.Millisecond},
		"it is not taken":                         {2 * letGoLimit, []time.Duration{400 * time.Millisecond}, letGoLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				g := c.giver()
				if left := g.moveAll(t.Context(), "d1 stops", nil); len(left) != 1 || len(c.resigned) > 0 { // d2 is too slow
					t.Fatalf("left %v, given up: %q", left, c.resigned)
				}
				c.given = time.Now()
				resign := g.resign
				g.resign = func(ctx context.Context, group string) {
					resign(ctx, group)
					c.later(tt.taken, func() { c.owner = "d2" })
					for _, after := range tt.given {
						c.later(after, func() { c.given = time.Now() })
					}
				}
				began := time.Now()
				kept, open := g.letGo(t.Context())
				took := time.Since(began)
				if (len(open) == 0) != (tt.want < letGoLimit) || len(kept) > 0 || took < tt.want || took > tt.want+100*time.Millisecond {
					t.Errorf("kept %v, not taken %v, after %v", kept, open, took)
				}
				if !slices.Equal(c.resigned, []string{"g"}) {
					t.Errorf("given up: %q", c.resigned)
				}
			})
		})
	}
}

// The newest connections are lost with an agent that ends before they are fetched.
func TestWhoGaveItsGroupsAwayStaysUntilTheNewestConnectionsAreFetched(t *testing.T) {
	const gone, asked, told = 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond
	moving := fsm.Ownership{Owner: "d1", Epoch: 1, Intent: &fsm.Intent{To: "d2", Epoch: 2}}
	for name, tt := range map[string]struct {
		log    fsm.Ownership
		leader string
		asks   time.Duration // when d2 asks for the newest
		told   bool          // the log is told
		want   time.Duration
	}{
		"the log is told":                          {moving, "d3", asked, true, told},
		"it is told first":                         {moving, "d3", told + asked, true, told + asked},
		"it is told, and nobody asks":              {moving, "d3", time.Hour, true, told + toldLimit},
		"it hangs, and will be":                    {moving, "d3", asked, false, receiptLimit},
		"nobody leads":                             {moving, "", asked, false, asked},
		"nobody leads, and it asked before":        {moving, "", gone / 2, false, receiptLimit},
		"nobody leads, and it does not ask":        {moving, "", time.Hour, false, receiptLimit},
		"the move was given up as it was taken":    {fsm.Ownership{Owner: "d1", Epoch: 1}, "d3", asked, false, asked},
		"the wire moved what the log says is d3's": {fsm.Ownership{Owner: "d3", Epoch: 1}, "d3", asked, false, asked},
		"and it does not ask":                      {fsm.Ownership{Owner: "d3", Epoch: 1}, "d3", time.Hour, false, receiptLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				c.log, c.leader, c.owner, c.present = tt.log, tt.leader, "d2", true
				c.later(gone, func() { c.present = false })
				at := time.Now().Add(tt.asks)
				c.later(tt.asks, func() { c.given = at })
				if tt.told {
					c.later(told, func() { c.log = fsm.Ownership{Owner: "d2", Epoch: 2} })
				}
				g, began := c.giver(), time.Now()
				g.note(g.state(), []string{"g"}, true)
				g.awaitReceipt(t.Context())
				if took := time.Since(began); took < tt.want || took > tt.want+50*time.Millisecond {
					t.Errorf("it stays for %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// What is given away is not all known when that begins, nor does all of it leave at once.
func TestWhoGivesAwayWaitsForTheReceiptOfAllThatItHad(t *testing.T) {
	const moved, asked = 200 * time.Millisecond, 500 * time.Millisecond
	for name, tt := range map[string]struct {
		begin func(c *giving, g *giver)
		want  time.Duration
	}{
		"it is fetched": {func(*giving, *giver) {}, asked},
		"the keeper was mute when it began": {func(c *giving, _ *giver) {
			c.mute = true
			c.later(moved/2, func() { c.mute = false })
		}, asked},
		"the keeper was mute until it had moved": {func(c *giving, _ *giver) {
			c.mute = true
			c.later(moved+20*time.Millisecond, func() { c.mute = false })
		}, asked},
		"it came to own one meanwhile": {func(c *giving, g *giver) {
			owned, state, had := g.owned, g.state, false
			c.owner, c.more = "", []string{"h"}
			g.owned = func() ([]string, bool) {
				if names, known := owned(); had {
					return names, known
				}
				return []string{"h"}, true
			}
			g.state = func() *fsm.State {
				s := state()
				if had { // nobody is waited for about h
					delete(s.Groups, "h")
				}
				return s
			}
			c.later(moved/2, func() { c.owner, had = "d1", true })
		}, asked},
		"one was fetched before another had gone": {func(c *giving, g *giver) {
			c.leader, c.more = "", []string{"h"} // nobody tells the log
			owned, last := g.owned, false
			g.owned = func() ([]string, bool) {
				if names, known := owned(); !last {
					return append(names, "h"), known
				}
				return owned()
			}
			c.later(asked+time.Second, func() { last = true })
			state := g.state
			g.state = func() *fsm.State { // nobody is waited for about h
				s := state()
				if last {
					delete(s.Groups, "h")
				}
				return s
			}
		}, asked + time.Second},
		"the configuration has it no more": {func(c *giving, g *giver) {
			state := g.state
			g.state = func() *fsm.State {
				s := state()
				if c.owner == "d2" {
					s.Groups = map[string]fsm.Ownership{}
				}
				return s
			}
		}, moved},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGiving()
				g := c.giver()
				tt.begin(c, &g)
				if c.leader == "" {
					c.later(moved, func() { c.owner = "d2" })
				} else {
					c.moves(moved)
				}
				c.later(asked, func() { c.given = time.Now() })
				began := time.Now()
				if left := g.giveAway(t.Context(), "d1 stops", nil); len(left) > 0 {
					t.Fatalf("left: %v", left)
				}
				if took := time.Since(began); took < tt.want || took > tt.want+100*time.Millisecond {
					t.Errorf("it stays for %v, want %v", took, tt.want)
				}
			})
		})
	}
}

func TestWhatNobodyCouldTakeIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGiving()
		c.ready = false
		g := c.giver()
		g.moveAll(t.Context(), "d1 stops", nil)
		kept, open := g.letGo(t.Context())
		if len(kept) != 1 || len(open) > 0 || len(c.resigned) > 0 || c.owner != "d1" {
			t.Errorf("kept %v, not taken %v, given up: %q, %q owns", kept, open, c.resigned, c.owner)
		}
	})
}

// What is proposed to a leader whose disk hangs gets no answer for longer than a report holds.
func TestWhatNobodyCanTakeAnyMoreIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGiving()
		c.propose = func(ctx context.Context, _ fsm.SetIntent) error {
			<-ctx.Done()
			return ctx.Err()
		}
		c.later(time.Second, func() { c.ready = false })
		g := c.giver()
		if left := g.moveAll(t.Context(), "d1 stops", nil); len(left) != 1 {
			t.Fatalf("left %v", left)
		}
		if kept, _ := g.letGo(t.Context()); len(kept) != 1 || len(kept[0].why) == 0 || len(c.resigned) > 0 {
			t.Errorf("kept %v, given up: %q", kept, c.resigned)
		}
	})
}

func TestWhoStopsSaysThatItsKeeperDidNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGiving()
		c.mute = true
		g, began, want := c.giver(), time.Now(), "what its keeper has (the keeper does not answer)"
		left := g.moveAll(t.Context(), "d1 stops", nil)
		if took := time.Since(began); said(left) != want || took > beginLimit+time.Second {
			t.Errorf("left %q after %v", said(left), took)
		}
		if kept, open := g.letGo(t.Context()); said(kept) != want || len(open) > 0 {
			t.Errorf("kept %q, not taken %v", said(kept), open)
		}
	})
}

func TestAKeeperThatHangsIsAskedToGiveUpOneGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGiving()
		g := c.giver()
		g.owned = func() ([]string, bool) { return []string{"g", "h", "i"}, true }
		c.more = []string{"h", "i"}
		g.resign = func(ctx context.Context, group string) {
			c.resigned = append(c.resigned, group)
			<-ctx.Done()
		}
		kept, open := g.letGo(t.Context())
		if want := "g (the keeper does not answer), h (the keeper does not answer), i (the keeper does not answer)"; said(kept) != want || len(open) > 0 {
			t.Errorf("kept %s, not taken %v", said(kept), open)
		}
		if !slices.Equal(c.resigned, []string{"g"}) {
			t.Errorf("asked to give up %q", c.resigned)
		}
	})
}
