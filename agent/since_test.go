package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/ipvs"
)

func passed(port uint16, state uint16, expires uint32) ipvs.Conn {
	return ipvs.Conn{
		Protocol: ipvs.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port),
		Virtual: netip.MustParseAddrPort("192.0.2.1:80"), Real: netip.MustParseAddrPort("10.0.0.1:80"), State: state, Expires: expires,
	}
}

func TestWhatWasGivenForAMarkIsNotGivenForItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g given
		asks := func(to, mark string, have []ipvs.Conn, want ...ipvs.Conn) {
			t.Helper()
			if got := g.fresh(to, mark, slices.Clone(have)); !slices.Equal(got, want) {
				t.Errorf("for mark %s of %s: %v, want %v", mark, to, got, want)
			}
		}
		remembered := func() int {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.to)
		}
		old, half, idle := passed(1, 1, 900), passed(2, 3, 60), passed(1, 1, 899)
		asks("d1", "a", []ipvs.Conn{old, half}, old, half)
		young, whole := passed(3, 3, 60), passed(2, 1, 900)
		time.Sleep(givenLife / 2)
		asks("d1", "a", []ipvs.Conn{idle, half, young}, young)
		asks("d1", "b", []ipvs.Conn{idle, half}, idle, half) // another mark
		asks("d2", "a", []ipvs.Conn{idle, half}, idle, half) // another director
		time.Sleep(givenLife - time.Second)
		asks("d1", "a", []ipvs.Conn{idle, whole, young}, whole)
		asks("d1", "b", []ipvs.Conn{idle, whole, young}, whole, young)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := remembered(); n != 1 {
			t.Errorf("what is given to %d is remembered, want 1", n)
		}
		time.Sleep(givenLife)
		synctest.Wait()
		if remembered() != 0 {
			t.Error("it is remembered though nobody asks any more")
		}
		asks("d1", "a", []ipvs.Conn{idle}, idle)
		time.Sleep(givenLife)
	})
}

func TestWhatIsGivenForManyMarksIsRememberedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g given
		staying := passed(1, 1, 900)
		marks := len(gift{}.marks)
		for i := range uint16(3 * marks) {
			passing := passed(100+i, 1, 900) // another each time
			if got := g.fresh("d1", fmt.Sprint(i), []ipvs.Conn{staying, passing}); len(got) != 2 {
				t.Errorf("for new mark %d: %v", i, got)
			}
			if int(i) >= marks {
				continue
			}
			if got := g.fresh("d1", "0", []ipvs.Conn{staying}); len(got) != 0 {
				t.Errorf("after mark %d, for the first: %v", i, got)
			}
		}
		g.mu.Lock()
		n := len(g.to["d1"].conns)
		g.mu.Unlock()
		if n != 1+marks {
			t.Errorf("%d connections are remembered, want those of the last %d marks", n, marks)
		}
		if got := g.fresh("d1", "0", []ipvs.Conn{staying}); len(got) != 1 {
			t.Errorf("for the first mark, long after: %v", got)
		}
		time.Sleep(givenLife)
	})
}

func TestAMarkIsUsedForALittleWhileAndNotAfterAnError(t *testing.T) {
	start := time.Unix(1000, 0)
	var m marks
	first := m.ask("d1", false, start)
	if m.ask("d1", false, start) == first {
		t.Error("a mark for which nothing is here yet is used twice")
	}
	m.have("d1", first, nil, start)
	for name, tt := range map[string]struct {
		from  string
		whole bool
		after time.Duration
		same  bool
	}{
		"the next":          {"d1", false, time.Second, true},
		"all is wanted":     {"d1", true, time.Second, false},
		"another":           {"d2", false, time.Second, false},
		"after a long time": {"d1", false, markLife, false},
	} {
		if got := m.ask(tt.from, tt.whole, start.Add(tt.after)) == first; got != tt.same {
			t.Errorf("%s: the same mark: %v, want %v", name, got, tt.same)
		}
	}
	m.have("d1", first, errors.New("it was cut off"), start)
	if m.ask("d1", false, start) == first {
		t.Error("a mark is used of which it is not known what is here")
	}
}

// Who waits for a director to have what is here now must not take what another was given, or what it was given before.
func TestWhatWasGivenIsOfTheTimeWhenItWasRead(t *testing.T) {
	start := time.Unix(1000, 0)
	var g given
	if g.since("d2", start) {
		t.Error("it was given nothing yet")
	}
	g.sent("d2", start)
	g.sent("d2", start.Add(-time.Second)) // an answer that took longer
	if !g.since("d2", start) || g.since("d2", start.Add(1)) || g.since("d3", start) {
		t.Error("it is not of the time when it was read, and of whom it was for")
	}
}
