package agent

import (
	"math"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
)

// sayClocks says of the other directors by how much their clocks are off, and of those that do not answer what is wrong with a
// certificate: mostly it is a clock. They have not stopped then, whatever came of them last.
func (s *session) sayClocks(st *api.Status) {
	ahead := s.node.ClocksAhead()
	for i := range st.Directors {
		d := &st.Directors[i]
		if off := ahead[d.Name]; off.Abs() > pki.ClockTolerance {
			d.ClockAhead = math.Round(off.Seconds())
		}
		if d.State != "unreachable" {
			continue
		}
		if d.Unproved = s.node.Unproved(d.Name); d.Unproved != "" {
			d.Reasons = nil
		}
	}
}

// offClocks are the clocks that are off, as this director's events have it, and who does not answer for a certificate. It belongs
// to follow.
type offClocks map[offClock]bool

type offClock struct {
	name string // the member's
	mute bool   // it does not answer
}

// look returns what is to be told of clocks, by whose they are: of each that was not off, or is not any more. That who did not
// answer does again is told anyway.
func (o *offClocks) look(off map[offClock]string) map[string]string {
	news, now := map[string]string{}, offClocks{}
	for c := range *o {
		if _, still := off[c]; !still && !c.mute {
			news[c.name] = "nothing is wrong with the clock of " + c.name + " any more, as far as is known here"
		}
	}
	for c, text := range off {
		if now[c] = true; !(*o)[c] {
			news[c.name] = text
		}
	}
	*o = now
	return news
}

// tellClocks makes events of clocks that are off, and of those that are not any more.
func (s *session) tellClocks() {
	off, live := map[offClock]string{}, s.reports.live(time.Now())
	for _, c := range s.node.ClocksOff() {
		off[offClock{c.Name, false}] = c.Text
	}
	for _, name := range s.others() {
		if _, reports := live[name]; reports {
			continue
		}
		if why := s.node.Unproved(name); why != "" {
			off[offClock{name, true}] = name + " does not answer: " + why
		}
	}
	for name, text := range s.offClocks.look(off) {
		s.events.add(s.cfg.Name, 0, "member", name, text)
	}
}
