package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// history is a cluster as its leader sees it, second by second: directors that come and go, groups of every
// policy, and what the leader does about them.
type history struct {
	*rand.Rand
	t         *testing.T
	now       time.Time
	leader    string
	led       time.Time
	directors []string
	views     map[string]View            // what is the same for all groups
	unfit     map[string]map[string]bool // group, director
	scores    map[string]map[string]int
	active    map[string]string // group: who serves it
	heard     map[string]bool   // group: its adverts pass
	logs      map[string]fsm.Ownership
	places    map[string]fsm.Placement
	begun     map[string]time.Time // group: when its intent began
	wishes    Wishes
	moves     int
	story     []string
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		Rand: rand.New(rand.NewPCG(seed, 11)), t: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		views: map[string]View{}, unfit: map[string]map[string]bool{}, scores: map[string]map[string]int{}, active: map[string]string{},
		heard: map[string]bool{}, logs: map[string]fsm.Ownership{}, places: map[string]fsm.Placement{}, begun: map[string]time.Time{},
	}
	h.directors = []string{"d1", "d2", "d3", "d4", "d5"}[:2+h.IntN(4)]
	for _, d := range h.directors {
		h.views[d] = View{Name: d, Alive: true, Ready: true}
	}
	h.leader, h.led = h.directors[0], h.now
	for i := range 1 + h.IntN(8) {
		g := fmt.Sprintf("g%d", i)
		h.places[g] = fsm.Placement{
			Policy: []fsm.Policy{"", fsm.Leader, fsm.Spread, fsm.Pinned, fsm.Score}[h.IntN(5)],
			Hold:   []time.Duration{20 * time.Second, -1, 3 * time.Second}[h.IntN(3)], Directors: h.some(),
		}
		h.unfit[g], h.scores[g], h.heard[g], h.logs[g] = map[string]bool{}, map[string]int{}, true, fsm.Ownership{}
	}
	return h
}

// some are some of the directors in some order.
func (h *history) some() []string {
	all := slices.Clone(h.directors)
	h.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:h.IntN(len(all)+1)]
}

func (h *history) any() string { return h.directors[h.IntN(len(h.directors))] }

// happen changes something.
func (h *history) happen() {
	d := h.any()
	v, g := h.views[d], fmt.Sprintf("g%d", h.IntN(len(h.logs)))
	switch h.IntN(9) {
	case 0:
		v.Alive, v.Silent = !v.Alive, 0
	case 1:
		v.Ready, v.Unready = !v.Ready, 0
	case 2:
		v.Draining = !v.Draining
	case 3:
		h.unfit[g][d] = !h.unfit[g][d]
	case 4, 5:
		h.scores[g][d] = h.IntN(3)
	case 6:
		h.leader, h.led, h.wishes = d, h.now, Wishes{}
	case 7: // its control is away, and comes back
		if v.Silent = 0; h.IntN(2) == 0 {
			v.Silent = time.Second
		}
	case 8:
		h.heard[g] = !h.heard[g]
	}
	h.views[d] = v
}

// elect is what VRRP does about groups of which nobody alive is the owner.
func (h *history) elect() {
	for g := range h.logs {
		if v := h.views[h.active[g]]; v.Alive {
			continue
		}
		h.active[g] = ""
		for _, d := range slices.Concat(h.logs[g].Order, h.directors) {
			if h.views[d].Alive && !h.unfit[g][d] && h.active[g] == "" {
				h.active[g] = d
			}
		}
	}
}

func (h *history) situations() []Situation {
	silent := map[string]time.Duration{}
	for d, v := range h.views {
		silent[d] = v.Silent
		if !v.Alive {
			silent[d] = time.Hour
		}
	}
	var all []Situation
	var shares []Share
	for i := range len(h.logs) {
		g := fmt.Sprintf("g%d", i)
		s := Situation{Group: g, Log: h.logs[g], Placement: h.places[g], Leader: h.leader, Age: h.now.Sub(h.begun[g])}
		s.Sound = Sound(silent, h.leader, s.Log.Owner, h.now.Sub(h.led))
		for _, d := range h.directors {
			v := h.views[d]
			v.Silent, v.Active, v.Score = silent[d], v.Alive && h.active[g] == d, h.scores[g][d]
			if h.unfit[g][d] {
				v.Unfit = "it may not"
			}
			if v.Alive && !v.Active && h.heard[g] {
				v.Hears = h.active[g]
			}
			s.Views = append(s.Views, v)
		}
		all, shares = append(all, s), append(shares, ShareOf(s))
	}
	load, plan := Loads(shares), Spread(shares)
	for i := range all {
		s := &all[i]
		s.Load, s.Spread = load, plan[s.Group]
		s.Wished = h.wishes.Look(s.Group, s.Log.Epoch, Wished(*s), h.now)
	}
	return all
}

// second is one second of the cluster's life. Moves that were begun come out, well or not.
func (h *history) second(calm bool) {
	h.now = h.now.Add(time.Second)
	for d, v := range h.views {
		if !v.Ready {
			v.Unready += time.Second
		}
		if v.Silent > 0 {
			v.Silent += time.Second
		}
		h.views[d] = v
	}
	h.elect()
	for g, log := range h.logs {
		switch i := log.Intent; {
		case i == nil:
		case h.views[i.To].Alive && (calm || h.IntN(3) > 0):
			h.active[g] = i.To
			h.own(g, i.To, i.Epoch, i.Reason)
		case h.IntN(2) == 0:
			log.Intent = nil
			h.logs[g] = log
			h.wishes.Again(g)
		}
	}
	for _, s := range h.situations() {
		h.apply(s, Place(s))
	}
}

func (h *history) own(g, owner string, epoch uint64, why string) {
	log := h.logs[g]
	order := slices.DeleteFunc(slices.Clone(log.Order), func(d string) bool { return d == owner })
	if log.Owner != "" && log.Owner != owner {
		order = append(order, log.Owner)
	}
	h.logs[g] = fsm.Ownership{Owner: owner, Epoch: epoch, Order: order, Reason: why}
}

// apply does what was decided, and holds that it may be.
func (h *history) apply(s Situation, d Decision) {
	log := h.logs[s.Group]
	switch {
	case d.Confirm != nil:
		h.own(s.Group, d.Confirm.Owner, d.Confirm.Epoch, d.Confirm.Reason)
		h.check(d.Confirm.Reason != "" && h.active[s.Group] == d.Confirm.Owner, "confirmed %+v", d.Confirm)
	case d.Drop != nil:
		h.check(log.Intent != nil && d.Drop.Reason != "", "dropped %+v", d.Drop)
		log.Intent = nil
		h.logs[s.Group] = log
	case d.Move != nil:
		to := find(s.Views, d.Move.Intent.To)
		h.check(log.Intent == nil, "a second intent: %+v", d.Move)
		h.check(to != nil && to.fit() && to.Name != log.Owner, "a move to %+v", to)
		h.check(d.Move.Intent.Reason != "" && d.Move.Intent.Epoch == log.Epoch+1, "moved %+v", d.Move)
		h.story = append(h.story, fmt.Sprintf("%v %s from %s to %s: %s", h.now.Format(time.TimeOnly), s.Group, log.Owner, to.Name, d.Move.Intent.Reason))
		log.Intent, h.begun[s.Group] = &d.Move.Intent, h.now
		h.logs[s.Group] = log
		h.moves++
	case d.Order != nil:
		h.check(!slices.Contains(d.Order.Order, log.Owner), "an order with the owner in it: %+v", d.Order)
		log.Order = d.Order.Order
		h.logs[s.Group] = log
	}
}

// newest are the last moves.
func (h *history) newest() string {
	return "\n" + strings.Join(h.story[max(0, len(h.story)-20):], "\n")
}

func (h *history) check(ok bool, format string, args ...any) {
	h.t.Helper()
	if !ok {
		h.t.Fatalf(format+"\n%v", append(args, h.newest())...)
	}
}

// Whatever happens, nothing is moved to who is not fit, and no move is begun while another is under way. When
// nothing happens any more, the groups come to rest, after no more moves than one for a need and one for a wish
// of each, and those which that makes uneven.
func TestWhateverHappensGroupsComeToRest(t *testing.T) {
	moved := 0
	for seed := range uint64(200) {
		h := newHistory(t, seed)
		for range 120 {
			if h.IntN(3) == 0 {
				h.happen()
			}
			h.second(false)
		}
		moved += h.moves
		h.story, h.moves = nil, 0
		for range 150 {
			h.second(true)
		}
		if most := 3 * len(h.logs); h.moves > most {
			t.Fatalf("seed %d: %d moves of %d groups though nothing happens: %v", seed, h.moves, len(h.logs), h.newest())
		}
		h.moves = 0
		for range 150 {
			h.second(true)
		}
		if h.moves > 0 {
			t.Fatalf("seed %d: no rest: %v", seed, h.newest())
		}
	}
	if moved < 1000 {
		t.Errorf("%d moves in all: the histories are dull", moved)
	}
}

// Two moves by a wish are as far apart as the hold time says, however often the wish changes.
func TestWhatMovedByAWishIsHeld(t *testing.T) {
	moved := 0
	for seed := range uint64(50) {
		h := newHistory(t, seed)
		hold := 7 * time.Second
		for g := range h.places {
			h.places[g] = fsm.Placement{Policy: fsm.Score, Hold: hold}
		}
		last := map[string]time.Time{}
		for range 300 {
			for g := range h.logs {
				h.scores[g][h.any()] = h.IntN(3)
			}
			before := map[string]bool{}
			for g, log := range h.logs {
				before[g] = log.Intent != nil
			}
			h.second(true)
			for g, log := range h.logs {
				if log.Intent == nil || before[g] {
					continue
				}
				if was := last[g]; !was.IsZero() && h.now.Sub(was) < hold {
					t.Fatalf("seed %d: %s moves %v after the last time", seed, g, h.now.Sub(was))
				}
				last[g] = h.now
			}
		}
		moved += len(last)
	}
	if moved < 50 {
		t.Errorf("%d groups moved by a wish: the histories are dull", moved)
	}
}
