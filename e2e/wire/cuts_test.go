package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// toward drops a kind of traffic from each of some hosts to each of others, in that direction only.
func (w *testnet) toward(from, to []*lab.Host, what lab.Traffic, on *lab.Segment) (undo func()) {
	var undos []func()
	for _, a := range from {
		for _, b := range to {
			undos = append(undos, w.DropFrom(a, b, what, on))
		}
	}
	return func() {
		for _, undo := range undos {
			undo()
		}
	}
}

// cutFor is for how long an agent is cut off where nothing may come of it.
var cutFor = proof.Long(2*placement.Grace, 10*placement.Grace)

// TestWhereTheClusterPortIsCut cuts one agent's cluster port off, VRRP being heard by all: a standby that nobody
// reaches changes nothing, and from an owner the quorum moves the address once, with no loss. An agent that
// hears and is not heard, or is heard and does not hear, is as cut off: what it says to others is TCP. So is one that
// opens connections to the others, which cannot open any to it.
func TestWhereTheClusterPortIsCut(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "ca", 3)
	for _, tt := range []struct {
		way
		standby, owner bool // where it is tried
	}{
		{bothWays, true, true},
		{whatItSays, proof.Long(false, true), true},
		{whatItHears, true, proof.Long(false, true)},
		{itsPort, proof.Long(false, true), true},
	} {
		cut := func(d *lab.Director) (undo func()) { return w.deafen(d, tt.way) }
		if tt.standby && !t.Run("at a standby, "+tt.name, func(t *testing.T) { w.standbyCut(t, cut) }) {
			return
		}
		if tt.owner && !t.Run("at the owner, "+tt.name, func(t *testing.T) { w.ownerCut(t, cut) }) {
			return
		}
	}
	if proof.Long(false, true) {
		t.Run("at the owner, its port and adverts to it", w.ownerFiltered)
	}
}

// An owner that can ask finds that another has its addresses in asked. A busy machine that plays all hosts at once is given
// askedMargin times that.
const (
	asked       = 2 * time.Second
	askedMargin = 5
)

// ownerFiltered puts a filter on the owner's host: what it opens itself passes, and what it sends, and nothing else. The quorum
// claims from it, and it hears neither the claim nor anybody: it asks, and lets go.
func (w *testnet) ownerFiltered(t *testing.T) { w.filtered(t, w.settled(t), func() {}) }

// filtered does something while that filter is there and the owner has let go.
func (w *testnet) filtered(t *testing.T, owner *lab.Director, then func()) {
	t.Helper()
	undos := []func(){w.deafen(owner, itsPort), w.toward(w.hosts(owner), []*lab.Host{owner.Host}, lab.VRRP(), w.Outer)}
	defer func() {
		for _, undo := range undos {
			undo()
		}
	}()
	lab.Eventually(t, 30*time.Second, "another has the address", func() error {
		if owners := w.Owners(vip); len(owners) == 0 || len(owners) == 1 && owners[0] == owner.Host {
			return errors.New("not yet")
		}
		return nil
	})
	lab.Eventually(t, askedMargin*asked, "the one behind the filter lets go", func() error { return w.OneOwner(vip) })
	if owners := w.Owners(vip); len(owners) != 1 || owners[0] == owner.Host {
		t.Errorf("owners: %v", owners)
	}
	then()
}

// TestAFormerOwnerBehindAFilterKnowsWhoFollowedIt has that one asked: it hears no adverts, no reports come, and it opens
// connections to the others all the same, which is how it has found that one of them serves.
func TestAFormerOwnerBehindAFilterKnowsWhoFollowedIt(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "cf", 3)
	former := w.settled(t)
	w.filtered(t, former, func() {
		owners := w.Owners(vip)
		owner := w.Directors[slices.IndexFunc(w.Directors, func(d *lab.Director) bool { return d.Host == owners[0] })]
		lab.Eventually(t, 10*time.Second, "it names who owns the address, and does not say that it has a quorum", func() error {
			var st api.Status
			decode(t, command(t, former, "status", "-o", "json").out, &st)
			screen, why := command(t, former, "status").out, command(t, former, "explain", "group", "web").out
			switch {
			case !st.CutOff && st.Quorum, strings.Contains(screen, "  quorum  "):
				return errors.New("it says that it is in the quorum: " + screen)
			case st.Groups[0].Owner != owner.Name, strings.Contains(screen, "nobody owns"):
				return errors.New(screen)
			case !strings.HasPrefix(why, owner.Name+" owns web"):
				return errors.New(why)
			}
			return nil
		})
	})
}

// TestTwoThatNoPathSettlesAreNamed cuts an owner off from adverts and the cluster port, while its kernel answers: another has to
// serve, and both do. The majority says so, and who they are, and none says that nobody answers.
func TestTwoThatNoPathSettlesAreNamed(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "cd", 3)
	owner := w.settled(t)
	one, rest := []*lab.Host{owner.Host}, w.hosts(owner)
	for _, undo := range []func(){w.deafen(owner, bothWays), w.toward(one, rest, lab.VRRP(), w.Outer), w.toward(rest, one, lab.VRRP(), w.Outer)} {
		defer undo()
	}
	for _, d := range w.Directors {
		lab.Eventually(t, 20*time.Second, d.Name+" names both", func() error {
			screen := command(t, d, "status").out
			if len(w.Owners(vip)) != 2 || !strings.Contains(screen, " both answer for 192.168.1.1 (") || strings.Contains(screen, "gets no answer for the address") {
				return errors.New(screen)
			}
			return nil
		})
	}
}

// A way to cut one agent off.
type way struct {
	name     string
	outgoing bool // what it sends is dropped
	incoming bool // what is sent to it is dropped
	port     bool // what is sent to its port is dropped: what it opens itself passes
}

var (
	bothWays    = way{"both ways", true, true, false}
	whatItSays  = way{"what it says", true, false, false}
	whatItHears = way{"what it hears", false, true, false}
	itsPort     = way{"its port", false, false, true}
)

// deafen cuts the cluster port of one director.
func (w *testnet) deafen(d *lab.Director, how way) (undo func()) {
	one, rest := []*lab.Host{d.Host}, w.hosts(d)
	var undos []func()
	if how.outgoing {
		undos = append(undos, w.toward(one, rest, lab.AgentTraffic(), w.Inner))
	}
	if how.incoming {
		undos = append(undos, w.toward(rest, one, lab.AgentTraffic(), w.Inner))
	}
	if how.port {
		undos = append(undos, w.toward(rest, one, lab.ToClusterPort(), w.Inner))
	}
	return func() {
		for _, undo := range undos {
			undo()
		}
	}
}

// standbyCut holds that nothing moves while a standby is cut off, nor when it is back.
func (w *testnet) standbyCut(t *testing.T, cut func(*lab.Director) func()) {
	owner := w.settled(t)
	before := epoch(t, owner)
	standby := w.others(owner)[0]
	r := w.watch(t, func() {
		s := w.see(t, func() {
			undo := cut(standby)
			time.Sleep(cutFor)
			undo()
			w.keeps(t, owner)
			time.Sleep(time.Second)
		})
		if len(s.order) != 1 {
			t.Errorf("owners: %q", s.order)
		}
	})
	gap(t, r, unnoticed)
	if now := epoch(t, owner); now != before {
		t.Errorf("epoch %d, before: %d", now, before)
	}
}

// ownerCut holds that the address moves once from an owner that is cut off and heard, and nobody notices.
func (w *testnet) ownerCut(t *testing.T, cut func(*lab.Director) func()) {
	owner := w.settled(t)
	before := epoch(t, owner)
	var next *lab.Director
	r := w.watch(t, func() {
		s := w.alone(t, func() {
			undo := cut(owner)
			defer undo()
			// Where members answer slowly, Raft waits for up to 4 s: three times that before an owner that led is missed, and
			// twice if the first votes are split. Who leads then listens for 2 s, and the group moves. It takes 5 s else.
			lab.Eventually(t, 25*time.Second, "another has the address", func() error {
				if owners := w.Owners(vip); len(owners) != 1 || owners[0] == owner.Host {
					return errors.New("not yet")
				}
				return nil
			})
			w.missed(t, owner)
			time.Sleep(proof.Long(time.Second, 10*time.Second))
			undo()
			next = w.settled(t)
			time.Sleep(time.Second)
		})
		if owners := s.owners(); len(owners) != 2 || s.nobody > 0 {
			t.Errorf("owners: %q, want one move and never nobody", s.order)
		}
	})
	gap(t, r, unnoticed)
	fewLost(t, r)
	if now := epoch(t, next); now != before+1 {
		t.Errorf("epoch %d, want %d", now, before+1)
	}
	w.told(t, before+1, "before: "+owner.Name+": control of "+owner.Name+" has not answered for ")
}

// missed waits until all others count one director as one that does not answer, and say so.
func (w *testnet) missed(t *testing.T, one *lab.Director) {
	t.Helper()
	for _, d := range w.others(one) {
		lab.Eventually(t, 10*time.Second, d.Name+" misses "+one.Name, func() error {
			var st api.Status
			out := command(t, d, "status", "-o", "json").out
			decode(t, out, &st)
			if st.Answering != st.Voters-1 || !slices.Contains(st.Warnings, one.Name+" does not answer") {
				return errors.New(out)
			}
			return nil
		})
	}
}

// The control: a leader that waits for the owner moves nothing, whichever way is cut.
func (w *testnet) waitsForACutOwner(t *testing.T) {
	for _, how := range proof.Long([]way{whatItSays}, []way{bothWays, whatItSays, whatItHears, itsPort}) {
		owner := w.settled(t)
		undo := w.deafen(owner, how)
		w.stays(t, owner, 4*placement.Grace)
		undo()
	}
}

// TestWhereAdvertsPassOneWay drops VRRP in one direction. What a standby would say to the owner nobody misses.
// Who does not hear the owner asks, holds, and names the path.
func TestWhereAdvertsPassOneWay(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "cb", 3)
	owner := w.settled(t)
	one, others := []*lab.Host{owner.Host}, w.others(owner)
	before := epoch(t, owner)
	r := w.watch(t, func() {
		s := w.see(t, func() {
			undo := w.toward(w.hosts(owner), one, lab.VRRP(), w.Outer)
			time.Sleep(proof.Long(2*time.Second, 20*time.Second))
			for _, d := range others {
				if out := command(t, d, "status").want(t, 0).out; strings.Contains(out, "does not hear the owner") {
					t.Errorf("%s says: %s", d.Name, out)
				}
			}
			undo()
			for _, deaf := range [][]*lab.Director{others[:1], others} {
				var hosts []*lab.Host
				for _, d := range deaf {
					hosts = append(hosts, d.Host)
				}
				undo := w.toward(one, hosts, lab.VRRP(), w.Outer)
				for _, d := range deaf {
					guardSays(t, d, "its adverts do not arrive")
				}
				time.Sleep(proof.Long(2*time.Second, 20*time.Second))
				undo()
				w.keeps(t, owner)
			}
		})
		if len(s.order) != 1 {
			t.Errorf("owners: %q", s.order)
		}
	})
	gap(t, r, unnoticed)
	if now := epoch(t, owner); now != before {
		t.Errorf("epoch %d, before: %d", now, before)
	}
}

// TestAnOwnerOnTheWrongSegmentIsTakenOverFrom puts the owner's cable into another segment: its carrier stays, and
// its clients are elsewhere. Another takes over, and it lets go.
func TestAnOwnerOnTheWrongSegmentIsTakenOverFrom(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "k", 3)
	owner := w.settled(t)
	elsewhere := w.Net.Segment("elsewhere")
	var next *lab.Director
	r := w.watch(t, func() {
		s := w.see(t, func() {
			undo := w.Rewire(owner.Host, w.Outer, elsewhere)
			defer undo()
			w.takenFromAfar(t, owner)
			undo()
			next = w.settled(t)
			time.Sleep(time.Second)
		})
		if owners := s.owners(); len(owners) != 2 {
			t.Errorf("owners: %q, want one move", s.order)
		}
	})
	gap(t, r, moves)
	if next == owner {
		t.Errorf("%s owns again", owner.Name)
	}
}

// takenFromAfar waits until another has the address, and then until the one on the wrong segment has let go.
func (w *testnet) takenFromAfar(t lab.T, owner *lab.Director) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, "another director owns", func() error {
		for _, h := range w.Owners(vip) {
			if h != owner.Host {
				return nil
			}
		}
		return errors.New("nobody else does")
	})
	lab.Eventually(t, 10*time.Second, "the one that is cut off lets go", func() error { return w.OneOwner(vip) })
}

// The control: with a guard that asks nobody, the one on the wrong segment keeps it too.
func TestWithoutAGuardAnOwnerOnTheWrongSegmentKeepsTheAddress(t *testing.T) {
	t.Parallel()
	w := mutated(t, "n", mutant.NoGuard)
	w.apply(t, routerFile)
	w.settled(t)
	t.Run("where adverts do not pass two own", w.twoWhereAdvertsDoNotPass)
	t.Run("where they pass one way two own", w.twoWhereAdvertsPassOneWay)
	owner := w.settled(t)
	undo := w.Rewire(owner.Host, w.Outer, w.Net.Segment("elsewhere"))
	defer undo()
	lab.Eventually(t, 10*time.Second, "two directors own", func() error {
		if len(w.Owners(vip)) != 2 {
			return errors.New("not yet")
		}
		return nil
	})
	lab.Consistently(t, 3*time.Second, "two directors own", func() error {
		if len(w.Owners(vip)) != 2 {
			return errors.New("the proof proves nothing")
		}
		return nil
	})
}
