package agent

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/director/ipvs"
)

func TestWhatWasGivenForAMarkIsNotGivenForItAgain(t *testing.T) {
	conn := func(port uint16, state uint16, expires uint32) ipvs.Conn {
		return ipvs.Conn{
			Protocol: ipvs.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port),
			Virtual: netip.MustParseAddrPort("192.0.2.1:80"), Real: netip.MustParseAddrPort("10.0.0.1:80"), State: state, Expires: expires,
		}
	}
	start := time.Unix(1000, 0)
	var g given
	asks := func(mark string, after time.Duration, have []ipvs.Conn, want ...ipvs.Conn) {
		t.Helper()
		if got := g.fresh(mark, slices.Clone(have), start.Add(after)); !slices.Equal(got, want) {
			t.Errorf("for mark %s after %v: %v, want %v", mark, after, got, want)
		}
	}
	old, half, idle := conn(1, 1, 900), conn(2, 3, 60), conn(1, 1, 899)
	asks("a", 0, []ipvs.Conn{old, half}, old, half)
	young, whole := conn(3, 3, 60), conn(2, 1, 900)
	asks("a", time.Second, []ipvs.Conn{idle, half, young}, young)
	asks("b", time.Second, []ipvs.Conn{idle, half}, idle, half) // another's
	asks("a", 2*time.Second, []ipvs.Conn{idle, whole, young}, whole)
	asks("a", 3*givenLife, []ipvs.Conn{idle}, idle) // it is forgotten
	if len(g.by) != 1 {
		t.Errorf("%d marks are remembered, want 1", len(g.by))
	}
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
