package ownership

import (
	"fmt"
	"slices"
	"time"
)

const (
	// contestAfter is how long two may say that they own a group before they settle it here: a planned move
	// is over by then, and what one of them hears of the other on the wire is decided there at once.
	contestAfter = 300 * time.Millisecond
	// contestAgain is how long to wait before that is looked at once more.
	contestAgain = 200 * time.Millisecond
)

// contest is what is done while another member says that it owns the group, as this director does.
type contest struct {
	with  string
	since time.Time
	busy  bool
	apart bool // people were told that each has a side of its own
}

// rival is the member that says that it owns the group, while this director does; "" for none.
func (f Facts) rival() string {
	if f.Keeper.Part != Owner {
		return ""
	}
	for _, m := range f.Members {
		if m.Alive && m.Part == Owner {
			return m.Name
		}
	}
	return ""
}

// lookContest settles with another owner. Where they hear each other, VRRP does: only one that goes on for
// longer is looked at. Of two on one segment, whom the highest known epoch names stays. Where no segment of
// the group joins them, each serves its own side.
func (s *step) lookContest() {
	c, rival := &s.contest, s.rival()
	if rival != c.with {
		if c.with != "" && s.Keeper.Part == Owner {
			s.begin(Renew{}) // the other has let go: its neighbours may still believe it
		}
		*c = contest{with: rival, since: s.now, busy: c.busy}
		if rival != "" {
			s.after(contestAfter, func(*step) {})
		}
	}
	if rival == "" || c.busy || s.now.Sub(c.since) < contestAfter {
		return
	}
	c.busy = true
	var routers []string
	for _, r := range s.Keeper.Routers {
		routers = append(routers, r.Name)
	}
	s.survey([]string{rival}, routers, surveyLimit, func(s *step, words map[string]Attestation, segments map[string]Segment) {
		s.after(contestAgain, func(s *step) { s.contest.busy = false })
		if word, ok := words[rival]; ok && s.rival() == rival {
			s.settle(rival, word, segments)
		}
	})
}

// settle gives the group up if the rival stays and a segment joins the two.
func (s *step) settle(rival string, word Attestation, segments map[string]Segment) {
	joined := ""
	for _, r := range s.Keeper.Routers {
		if slices.Contains(segments[r.Name].Reached, rival) {
			joined = r.Name
			break
		}
	}
	switch {
	case joined == "":
		if !s.contest.apart {
			s.contest.apart = true
			s.warn("contest", fmt.Sprintf("%s and %s own %s, each on a side of its own: no segment joins them", s.Self, rival, s.Group))
		}
	case !word.Owns || !word.Stays:
	case s.contestedWith(rival, word) == rival:
		s.tell("contest", fmt.Sprintf("%s gives %s up to %s, which %s", s.Self, s.Group, rival, s.because(rival, word)))
		s.await(func(id uint64) Action { return Concede{id} }, func(*step, Done) {})
	}
}

// contestedWith returns who stays of this director and a rival that both own the group: whom the highest
// known epoch names; if it names neither, who comes first in the order of successors, or by name.
func (f Facts) contestedWith(rival string, word Attestation) string {
	named := f.Log.Owner
	if word.Epoch > f.Log.Epoch {
		named = word.Named
	}
	switch named {
	case f.Self, rival:
		return named
	}
	for _, name := range f.Log.Order {
		if name == f.Self || name == rival {
			return name
		}
	}
	return min(f.Self, rival)
}

func (f Facts) because(rival string, word Attestation) string {
	if rival == f.Log.Owner || rival == word.Named {
		return fmt.Sprintf("epoch %d names", max(word.Epoch, f.Log.Epoch))
	}
	return "comes first"
}
