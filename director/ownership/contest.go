package ownership

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// contestAfter is how long two may say that they own a group before they settle it here: a planned move
	// is over by then, and what one of them hears of the other on the wire is decided there at once.
	contestAfter = 300 * time.Millisecond
	// contestAgain is how long to wait before that is looked at once more.
	contestAgain = 200 * time.Millisecond
	// contestLimit is how long the rival and the segments may take where they are farther apart than [surveyLimit]:
	// no timer waits for that answer.
	contestLimit = time.Second
	// contenderFor is for how long one that has asked as an owner counts as one without a report that says so. It asks
	// again sooner than that, as long as the contest lasts.
	contenderFor = surveyLimit + 2*contestAgain
)

// contest is what is done while another member says that it owns the group, as this director does.
type contest struct {
	since time.Time
	busy  bool
	epoch uint64 // the newest that was known of when it was looked at last
	place int    // this director's, then
	tries int    // that the rival did not answer in time
	apart bool   // each has a side of its own by the rival's last answer, and people were told
}

// rivals are the members that say that they own the group, while this director does: by their report, or as they asked
// about it, which may come sooner. One that is dead is none: its report counts for longer than it lives.
func (s *step) rivals() []string {
	if s.Keeper.Part != Owner {
		return nil
	}
	names, dead := s.owners(), s.missing()
	for _, m := range s.Members {
		if c, asked := s.contenders[m.Name]; asked && s.now.Sub(c.at) < contenderFor && !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(dead, name) })
}

// contends notes a member that asks about the group as its owner, while this director owns it.
func (s *step) contends(q Asked) {
	switch {
	case s.Keeper.Part != Owner:
	case q.Owns:
		s.contenders[q.From] = contender{s.now, s.now, q.Question}
		s.after(contenderFor, func(*step) {})
	default:
		delete(s.contenders, q.From)
	}
}

// lookContest settles with other owners, with each by itself. Where they hear each other, VRRP does: only what
// goes on for longer is looked at. Of two on one segment, whom the highest known epoch names stays. Where no
// segment of the group joins them, each serves its own side.
func (s *step) lookContest() {
	rivals := s.rivals()
	maps.DeleteFunc(s.contests, func(name string, _ *contest) bool { // with one that is no member any more
		_, ok := s.member(name)
		return !ok
	})
	for _, m := range s.Members {
		switch c := s.contests[m.Name]; {
		case slices.Contains(rivals, m.Name):
			if c == nil {
				c = &contest{since: s.now}
				s.contests[m.Name] = c
				s.after(contestAfter, func(*step) {})
			}
			if (!c.busy || c.epoch < s.Log.Epoch || c.place != s.place()) && s.now.Sub(c.since) >= contestAfter {
				s.contend(m.Name, c)
			}
		case c != nil:
			delete(s.contests, m.Name)
			if s.Keeper.Part == Owner {
				s.begin(Renew{}) // the other has let go: its neighbours may still believe it
			}
		}
	}
}

// contend asks a rival and the segments.
func (s *step) contend(rival string, c *contest) {
	c.busy, c.epoch, c.place = true, max(c.epoch, s.Log.Epoch), s.place() // what the rival says goes by that
	routers := s.routers()
	settled := false
	stands := func(s *step) bool { return s.contests[rival] == c && slices.Contains(s.rivals(), rival) }
	settle := func(s *step, word Attestation, segments map[string]Segment) {
		if !settled && stands(s) {
			settled = true
			s.settle(rival, c, word, segments)
		}
	}
	at := func(s *step, _ string, word Attestation, last bool) {
		if !last && s.reachesSome(rival, nil) { // its word is all that it goes by: a segment waits for the dead
			settle(s, word, nil)
		}
	}
	s.survey([]string{rival}, routers, min(surveyLimit<<min(c.tries, 2), contestLimit), at, func(s *step, words map[string]Attestation, segments map[string]Segment) {
		s.after(contestAgain, func(*step) { c.busy = false })
		word, ok := words[rival]
		if !ok && (s.named(rival).Unheard < GoneAfter || s.contenders[rival].answers()) { // it is there, and farther away
			c.tries++
		}
		switch {
		case ok:
			settle(s, word, segments)
		case stands(s):
			s.settleUnanswered(rival, segments)
		}
	})
}

// contestedSince has a contest looked at anew when the rival knows of a newer epoch than this director did.
func (s *step) contestedSince(rival string, epoch uint64) {
	if c := s.contests[rival]; c != nil && epoch > c.epoch {
		c.epoch, c.busy = epoch, false
	}
}

// settle gives the group up if the rival stays and a segment joins the two, by whom each reaches there.
func (s *step) settle(rival string, c *contest, word Attestation, segments map[string]Segment) {
	reached := s.reachesSome(rival, segments)
	joined := reached || s.joinedBy(word)
	c.apart = c.apart && !joined
	switch {
	case !reached && s.cutOff(word, segments):
		s.tell("contest", fmt.Sprintf("%s gives %s up to %s: it reaches nobody on a segment, and %s does", s.Self, s.Group, rival, rival))
		s.quiet.conceded = s.now
		s.begin(Resign{})
	case !joined:
		s.partFrom(rival, c)
	case !word.Owns: // its keeper is frozen, and lets the addresses go without a word
		s.renew()
	case !word.Stays:
	case s.contestedWith(rival, word.Epoch, word.Named, word.Place) == rival:
		s.concede(fmt.Sprintf("%s gives %s up to %s, which %s", s.Self, s.Group, rival, s.because(rival, word.Epoch, word.Named)))
	}
}

// reachesSome reports whether a rival is reached on the segment of any router.
func (s *step) reachesSome(rival string, segments map[string]Segment) bool {
	m := s.named(rival)
	for i, r := range s.Keeper.Routers {
		if slices.Contains(segments[r.Name].Reached, rival) || s.OnTime && m.answers(i) { // it may be farther away than was waited for
			return true
		}
	}
	return false
}

// concede lets the group go to a rival that stays.
func (s *step) concede(text string) {
	s.await(func(id uint64) Action { return Concede{id} }, func(s *step, d Done) {
		if d.OK {
			s.quiet.conceded = s.now
			s.tell("contest", text)
		}
	})
}

// partFrom leaves each its own side. A claim says that the other is to let go, and the log follows none while that one
// serves: so it ends, or it would win when the sides are joined again, whoever the log names.
func (s *step) partFrom(rival string, c *contest) {
	text := fmt.Sprintf("%s and %s own %s, each on a side of its own: no segment joins them", s.Self, rival, s.Group)
	if s.Keeper.Claims {
		s.begin(Unclaim{})
		text += ", and the claim of " + s.Self + " ends"
	}
	if !c.apart {
		c.apart = true
		s.warn("contest", text)
	}
}

// Apart reports whether another owns the group, too, on a side of the segment that nothing joins to this director's.
func (m *Machine) Apart() bool {
	for _, c := range m.contests {
		if c.apart {
			return true
		}
	}
	return false
}

// contestedWith returns who stays of this director and a rival that both own the group: whom the highest epoch
// names that the two know of; if it names neither, who has the better place, or by name. The logs of the two may
// differ: so each goes by what both have said, and both come to the same.
func (s *step) contestedWith(rival string, epoch uint64, named string, place int) string {
	_, named = s.newest(epoch, named)
	switch own := s.place(); {
	case named == s.Self || own < place && named != rival:
		return s.Self
	case named == rival || own > place:
		return rival
	}
	return min(s.Self, rival)
}

// place is this director's place among the successors by its own log. Whether it has a quorum does not count: where one
// side has it, that side's log names the owner, and where both have it again, it comes at different times.
func (f Facts) place() int {
	place := slices.Index(f.Log.Order, f.Self)
	if place < 0 {
		place = len(f.Log.Order)
	}
	return place
}

// known returns the newest epoch that this director knows of, and the owner that it names. A move to this director counts
// once the owner was told of its claim, though the log does not show it yet: it will, and would name who has given up.
func (s *step) known() (epoch uint64, named string) {
	if t := s.taking; t != nil && t.claimed && !t.claims && !t.told && t.intent.Epoch > s.Log.Epoch {
		return t.intent.Epoch, s.Self
	}
	return s.Log.Epoch, s.Log.Owner
}

// newest returns the highest epoch that is known where another director knows of the given one, and the owner
// that it names.
func (s *step) newest(epoch uint64, named string) (uint64, string) {
	if own, owner := s.known(); epoch <= own {
		return own, owner
	}
	return epoch, named
}

func (s *step) because(rival string, epoch uint64, named string) string {
	if epoch, named := s.newest(epoch, named); named == rival {
		return fmt.Sprintf("epoch %d names", epoch)
	}
	return "comes first"
}
