package ownership

import (
	"maps"
	"slices"
	"time"
)

// Gateway stands for the default route's next hop among those that are reached on a segment.
const Gateway = "(gateway)"

// seenFor is for how long a segment's answer counts. Whoever asks again does it sooner.
const seenFor = time.Second

// answered is who answered on a segment when it was asked last.
type answered struct {
	at  time.Time
	who []string
}

// spot is a member on the segment of a router, in the order of the configuration, or at the [port].
type spot struct {
	member string
	router int
}

// port is where a member is looked for that has no address on any segment of the group.
const port = -1

// lookReturned has an owner announce its addresses again when a member answers on a segment of the group after it had
// not for as long as counts. The segment may have been cut: whoever was on the other side believes who announced
// there last, and where that one has let go, no contest tells it. A member that has no address there may have been
// behind the same cut: its cluster port tells.
func (s *step) lookReturned() {
	if !s.OnTime {
		return // who did not answer was not listened for
	}
	back := false
	at := func(p spot, silent time.Duration) {
		switch {
		case silent >= GoneAfter:
			s.away[p] = true
		case silent >= 0 && s.away[p]:
			delete(s.away, p)
			back = true
		}
	}
	for _, m := range s.Members {
		for i, d := range m.Unreached {
			at(spot{m.Name, i}, d)
		}
		if !m.shares() {
			at(spot{m.Name, port}, m.Unheard)
		}
		back = s.reportsAgain(m) || back
	}
	maps.DeleteFunc(s.away, func(p spot, _ bool) bool {
		_, known := s.member(p.member)
		return !known
	})
	maps.DeleteFunc(s.lost, func(name string, _ bool) bool {
		_, known := s.member(name)
		return !known
	})
	if back {
		s.renew()
	}
}

// begunAfter is after how long a control that has just been started knows for certain which members do not answer.
const begunAfter = 2 * GoneAfter

// lookBegun has a director whose keeper owns the group when its control starts announce its addresses once. A segment may have
// been cut until a moment ago: who came back while there was no control, or before this one knew that it was away, is not noticed.
func (s *step) lookBegun() {
	if s.began || s.Keeper.Part == Absent {
		return
	}
	s.began = true
	if s.Keeper.Part == Owner {
		s.after(begunAfter, (*step).renew)
	}
}

// reportsAgain reports whether a director reports that had not for so long that nobody knows what it was to the group: it
// may have owned it meanwhile, and have lost it since.
func (s *step) reportsAgain(m Member) bool {
	lost, known := s.lost[m.Name]
	if m.Alive || known {
		s.lost[m.Name] = !m.Alive
	}
	return m.Alive && lost && !m.Witness
}

// lookDied has an owner announce its addresses again when a director dies of which it is not known what it was to the
// group: it may have owned it on this segment, cut off from the others, and then nobody else tells its neighbours.
func (s *step) lookDied() {
	for _, m := range s.Members {
		switch dead := s.OnTime && m.gone() && m.shares() && !m.Witness; {
		case !m.gone() && s.OnTime:
			delete(s.died, m.Name)
		case dead && !s.died[m.Name]:
			s.died[m.Name] = true
			if !m.Alive || m.diedUnknown() {
				s.renew()
			}
		}
	}
	maps.DeleteFunc(s.died, func(name string, _ bool) bool {
		_, known := s.member(name)
		return !known
	})
}

// fenced has those that own the group announce their addresses again: nobody else knows that there were any here.
func (s *step) fenced() {
	for _, name := range s.owners() {
		s.ask(name, Question{Kind: Announce}, askLimit, func(*step, Done) {})
	}
}

// diedUnknown reports whether a member that is dead was not heard by its agent for a while when its kernel still answered:
// its last report is of before that.
func (m Member) diedUnknown() bool {
	return slices.ContainsFunc(m.Unreached, func(d time.Duration) bool { return d >= 0 && m.Unheard >= d+GoneAfter })
}

// note remembers who answered on the segments.
func (s *step) note(segments []Segment) {
	for _, seg := range segments {
		who := slices.Clone(seg.Reached)
		if seg.Gateway {
			who = append(who, Gateway)
		}
		s.answered[seg.Router] = answered{s.now, who}
	}
}

// reaches returns who is reached on the segment of each router, members and the gateway; nil if this director was
// late, so that silence means nothing.
func (s *step) reaches() [][]string {
	if !s.OnTime {
		return nil
	}
	all := make([][]string, len(s.Keeper.Routers))
	for i, r := range s.Keeper.Routers {
		if a := s.answered[r.Name]; s.now.Sub(a.at) < seenFor {
			all[i] = slices.Clone(a.who)
		}
		for _, m := range s.Members {
			if i < len(m.Unreached) && m.Unreached[i] >= 0 && m.Unreached[i] < GoneAfter && !slices.Contains(all[i], m.Name) {
				all[i] = append(all[i], m.Name)
			}
		}
	}
	return all
}

// joined reports whether any segment of the group joins this director and another, by whom each reaches there:
// the other, or somebody that both reach. What is not known joins them.
func (s *step) joined(other string, word Attestation) bool {
	mine := s.reaches()
	if mine == nil || len(mine) != len(word.Reaches) {
		return true
	}
	for i := range mine {
		its := append(slices.Clone(word.Reaches[i]), other)
		if slices.ContainsFunc(append(mine[i], s.Self), func(name string) bool { return slices.Contains(its, name) }) {
			return true
		}
	}
	return false
}

// joinedBy reports whether a member is known on a segment of the group that this director reaches and another one, too, by its
// word: the two are on it, though something between them is broken. A gateway is no such member: its address may be answered for on
// either side of a cut, as by the two of a pair of routers.
func (s *step) joinedBy(word Attestation) bool {
	mine := s.reaches()
	if mine == nil || len(mine) != len(word.Reaches) {
		return false
	}
	for i := range mine {
		if slices.ContainsFunc(mine[i], func(name string) bool { return name != Gateway && slices.Contains(word.Reaches[i], name) }) {
			return true
		}
	}
	return false
}

// cutOff reports whether this director reaches nobody on some segment of the group where its rival does: it serves
// nobody there. If that is so the other way round on another segment, neither is to let go: they would both.
func (s *step) cutOff(word Attestation, segments map[string]Segment) bool {
	mine := s.reaches()
	if mine == nil || len(mine) != len(word.Reaches) {
		return false
	}
	cut := false
	for i, r := range s.Keeper.Routers {
		if _, asked := segments[r.Name]; !asked {
			continue
		}
		if len(mine[i]) > 0 && len(word.Reaches[i]) == 0 {
			return false
		}
		cut = cut || len(mine[i]) == 0 && len(word.Reaches[i]) > 0
	}
	return cut
}
