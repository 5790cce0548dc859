package agent

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/cluster/pki"
)

// sayClocks says of the other directors by how much their clocks are off, and of those that do not answer what is wrong with a
// certificate: mostly it is a clock. They have not stopped then, whatever came of them last.
func sayClocks(st *api.Status, clocks cluster.Clocks) {
	for i := range st.Directors {
		d := &st.Directors[i]
		if off := clocks.Ahead[d.Name]; off.Abs() > pki.ClockTolerance {
			d.ClockAhead = math.Round(off.Seconds())
		}
		if d.State != "unreachable" {
			continue
		}
		if d.Unproved = clocks.Unproved[d.Name]; d.Unproved != "" {
			d.Reasons = nil
		}
	}
}

// offClocks are the clocks that are off, as this director's events have it, and who does not answer for a certificate, until an
// answer comes by a clock that is right: that nothing was heard lately ends nothing. It belongs to follow.
type offClocks map[offClock]bool

type offClock struct {
	name string // the member's
	why  string // it does not answer; empty: its clock is off
}

// look returns what is to be told of clocks: of each that was not off, or is right again. That who did not answer does again is
// told anyway.
func (o *offClocks) look(clocks cluster.Clocks, silent []string) (news []clockNews) {
	if *o == nil {
		*o = offClocks{}
	}
	tell := func(c offClock, text string) {
		if !(*o)[c] {
			(*o)[c] = true
			news = append(news, clockNews{c.name, text})
		}
	}
	off := map[string]bool{}
	for _, c := range clocks.Off() {
		off[c.Name] = true
		tell(offClock{name: c.Name}, c.Text)
	}
	for _, name := range silent {
		if why := clocks.Unproved[name]; why != "" {
			kind, _, _ := strings.Cut(why, ": current time ") // which is another in each text
			tell(offClock{name, kind}, name+" does not answer: "+why)
		}
	}
	for _, name := range append(slices.Sorted(maps.Keys(clocks.Ahead)), clocks.Self) {
		if off[name] || !right(name, clocks) {
			continue
		}
		if (*o)[offClock{name: name}] {
			news = append(news, clockNews{name, "nothing is wrong with the clock of " + name + " any more, as far as is known here"})
		}
		maps.DeleteFunc(*o, func(c offClock, _ bool) bool { return c.name == name })
	}
	return news
}

// clockNews is what is to be told of a member.
type clockNews struct{ name, text string }

// right reports whether a clock is known to be right: the own one is by most of the others.
func right(name string, clocks cluster.Clocks) bool {
	if name != clocks.Self {
		return clocks.Ahead[name].Abs() <= pki.ClockTolerance
	}
	agree := 0
	for _, d := range clocks.Ahead {
		if d.Abs() <= pki.ClockTolerance {
			agree++
		}
	}
	return 2*agree > len(clocks.Ahead)
}

// tellClocks makes events of clocks that are off, and of those that are not any more.
func (s *session) tellClocks() {
	var silent []string
	live := s.reports.live(time.Now())
	members := s.node.State().Members
	for name := range members {
		if _, reports := live[name]; !reports && name != s.cfg.Name {
			silent = append(silent, name)
		}
	}
	maps.DeleteFunc(s.offClocks, func(c offClock, _ bool) bool { _, member := members[c.name]; return !member })
	for _, n := range s.offClocks.look(s.node.Clocks(), silent) {
		s.events.add(s.cfg.Name, 0, "member", n.name, n.text)
	}
}
