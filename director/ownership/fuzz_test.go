package ownership

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// chaos turns fuzz bytes into what happens to a machine.
type chaos struct {
	*story
	data    []byte
	replies map[uint64]int // to each question
	claimed bool           // it was just told of a claim, which the keeper decides about
}

func (c *chaos) next(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

func (c *chaos) flip(b *bool) { *b = !*b }

func (c *chaos) name() string { return []string{"d1", "d2", "d3", "d4", ""}[c.next(5)] }

func (c *chaos) silence() time.Duration {
	return []time.Duration{-1, 0, GoneAfter - 1, GoneAfter, time.Minute}[c.next(5)]
}

// happen has one thing happen.
func (c *chaos) happen() {
	c.claimed = false
	switch c.next(14) {
	case 0:
		c.look()
	case 1, 2, 3:
		c.pass(time.Duration(1+c.next(256)) * 7 * time.Millisecond)
	case 4, 5, 6:
		if n := len(c.open); n > 0 {
			o := c.open[c.next(n)]
			c.done(o.Action, c.outcome(o.Action))
		}
	case 7:
		kind := []Kind{Attest, Yield, Claimed, Let, "dance", Announce}[c.next(6)]
		c.claimed = kind == Claimed
		c.asked(c.name(), Question{kind, uint64(c.next(8)), c.name(), c.next(2) == 0, c.next(8), [][]string{{c.name()}, {c.name(), c.name()}}[:c.next(3)]})
		c.replies[c.asks] = 0
	case 8:
		c.changeKeeper()
	case 9:
		c.changeLog()
	case 10, 11:
		c.changeMember()
	case 12:
		c.flip([]*bool{&c.Current, &c.Quorum, &c.Ready, &c.Drains, &c.OnTime}[c.next(5)])
	case 13:
		c.Voters = 1 + c.next(5)
	}
}

// changeKeeper has the keeper say something else of the group, or be gone.
func (c *chaos) changeKeeper() {
	k := &c.Keeper
	switch c.next(5) {
	case 0:
		*k = Keeper{}
	case 1, 2:
		every := []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second}[c.next(4)]
		*k = Keeper{Part: Part(1 + c.next(3)), Interval: every, Lifetime: max(3*every, 2*time.Second)}
		k.Renewal = min(k.Lifetime/4, 750*time.Millisecond)
		for _, name := range []string{"out", "in"}[c.next(2):] {
			k.Routers = append(k.Routers, Router{Name: name, Heard: c.name(), Other: c.next(4) == 0})
		}
	case 3:
		if k.Part != Absent {
			k.Part = Part(1 + c.next(3))
		}
	case 4:
		c.mute = map[string]bool{"out": c.next(2) == 0, "in": c.next(2) == 0}
		for i := range k.Routers {
			if r := &k.Routers[i]; !c.mute[r.Name] {
				r.Silent, r.Age = false, 0
			}
		}
	}
}

func (c *chaos) changeLog() {
	switch c.next(4) {
	case 0:
		c.Log.Intent = nil
	case 1:
		c.Log.Intent = &fsm.Intent{To: c.name(), Epoch: c.Log.Epoch + 1, Reason: c.name()}
	case 2:
		c.Log = fsm.Ownership{Owner: c.name(), Epoch: c.Log.Epoch + 1, Order: c.Log.Order}
	case 3:
		c.Log.Order = []string{c.name(), c.name()}
	}
}

func (c *chaos) changeMember() {
	if c.next(8) == 0 { // it is removed, or another one comes
		if len(c.Members) > 1 && c.next(2) == 0 {
			c.Members = slices.Delete(slices.Clone(c.Members), 0, 1)
		} else {
			c.Members = append(slices.Clone(c.Members), Member{Name: "d" + string(rune('4'+len(c.Members))), Alive: true})
		}
		return
	}
	m := &c.Members[c.next(len(c.Members))]
	switch c.next(4) {
	case 0:
		c.flip([]*bool{&m.Witness, &m.Alive, &m.Ready, &m.Draining, &m.Fit}[c.next(5)])
	case 1:
		m.Part = Part(c.next(4))
	case 2:
		m.Unheard = max(c.silence(), 0)
	case 3:
		m.Unreached = []time.Duration{c.silence(), c.silence()}
	}
}

// outcome is any that an action can have.
func (c *chaos) outcome(a Action) Done {
	switch c.next(8) {
	case 0:
		return Done{Err: errors.New("no answer")}
	case 1:
		return Done{Err: Refusal("refused")}
	}
	d := Done{OK: c.next(2) == 0}
	switch a := a.(type) {
	case Ask:
		d.Word = Attestation{Owns: c.next(2) == 0, Epoch: uint64(c.next(8)), Named: c.name(), Stays: c.next(2) == 0, Hears: []string{c.name(), c.name()}[c.next(3)*2/3:], Gone: []string{c.name()}, Reaches: [][]string{{c.name()}, {c.name()}}[c.next(3):]}
	case Probe:
		for _, r := range a.Routers {
			d.Segments = append(d.Segments, Segment{Router: r, Reached: []string{c.name()}[c.next(2):], Serves: c.name(), Virtual: c.next(2) == 0, Gateway: c.next(2) == 0})
		}
	}
	return d
}

// check looks at what was begun by one thing that happened. Of what it is to the group nothing has changed
// meanwhile.
func (c *chaos) check(part Part) {
	for _, a := range c.begun {
		switch a := a.(type) {
		case Reply:
			c.replies[a.ID]++
		case Claim:
			if part != Standby && (part != Owner || c.m.taking == nil) { // in a move an owner makes sure that it stays
				c.t.Fatalf("it claims as %v", part)
			}
		case Concede:
			if part != Owner && part != Standby && !c.claimed { // a Backup's ends a resumption
				c.t.Fatalf("it concedes as %v", part)
			}
		case HoldTimer:
			if a.For < 0 || a.For > time.Minute {
				c.t.Fatalf("it holds its timer for %v", a.For)
			}
		case Renew:
			if part != Owner {
				c.t.Fatalf("it renews as %v", part)
			}
		}
	}
	c.begun = nil
}

// heals has all be well, and delivers every outcome.
func (c *chaos) heals() {
	healthy := newStory(c.t)
	c.Facts, c.mute = healthy.Facts, healthy.mute
	c.Log.Epoch = 1000
	for len(c.open) > 0 {
		c.done(c.open[0].Action, Done{Err: errLate})
		c.check(c.Keeper.Part)
	}
	c.look()
	c.check(c.Keeper.Part)
	for len(c.open) > 0 { // what began while it was delivered
		c.done(c.open[0].Action, Done{Err: errLate})
		c.check(c.Keeper.Part)
	}
}

// FuzzMachine does anything to a machine, in any order, and has all be well then.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{9, 1, 1, 0, 0, 4, 0, 1, 4, 0, 1, 4, 0, 1, 4, 0, 1})
	f.Add([]byte{8, 4, 0, 0, 1, 255, 1, 255, 4, 1, 1, 0, 4, 0, 1, 1, 1, 255})
	f.Add([]byte{8, 3, 2, 10, 1, 0, 1, 3, 0, 1, 255, 4, 0, 1, 0, 0, 6, 7, 1, 9, 7, 3, 7})
	random := rand.New(rand.NewPCG(4, 4))
	for range 300 {
		data := make([]byte, 600)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &chaos{story: newStory(t), data: data, replies: map[uint64]int{}}
		for len(c.data) > 0 {
			part := c.Keeper.Part
			c.happen()
			if c.Keeper.Part != part {
				c.look()
				part = c.Keeper.Part
			}
			c.check(part)
		}
		c.heals()
		c.pass(time.Minute)
		for id, n := range c.replies {
			if n != 1 {
				t.Errorf("question %d has %d replies", id, n)
			}
		}
		c.begun = nil
		c.quiesces()
	})
}
