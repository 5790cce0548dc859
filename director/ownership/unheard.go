package ownership

import (
	"fmt"
	"time"
)

const (
	// unheardAfter is for how long a member must be silent over the cluster port to be asked by an owner: shorter than
	// the time after which one that is silent is not asked before a claim.
	unheardAfter = 2 * GoneAfter
	// unheardEvery is how often it is.
	unheardEvery = 500 * time.Millisecond
)

// lookUnheard has an owner to which no majority speaks ask those directors whose machines are there. Its own port may be shut,
// and theirs open: then all others take it for silent, another has the group by a claim, and nobody could tell it so where
// the same filter keeps adverts from it.
func (s *step) lookUnheard() {
	if s.Keeper.Part != Owner || s.unheard || !s.OnTime || s.spokenTo() {
		return
	}
	var ask []string
	for _, m := range s.Members {
		if m.Unheard >= unheardAfter && m.shares() && !m.gone() && !m.Witness {
			ask = append(ask, m.Name)
		}
	}
	if len(ask) == 0 {
		return
	}
	s.unheard = true
	s.after(unheardEvery, func(s *step) { s.unheard = false })
	owns := func(s *step, from string, word Attestation, _ bool) {
		if word.Owns && s.Keeper.Part == Owner {
			c := s.contenders[from]
			c.at = s.now
			s.contenders[from] = c
		}
	}
	s.survey(ask, nil, contestLimit, owns, func(*step, map[string]Attestation, map[string]Segment) {})
}

// contender is one that asked as an owner, or said that it is one.
type contender struct {
	at    time.Time // when it did last
	asked time.Time // when it asked last
	ask   Question  // what it asked then
}

// answers reports whether a contender has said in an answer that it is one, since it asked last: so it can be asked.
func (c contender) answers() bool { return c.at.After(c.asked) }

// settleUnanswered settles with a rival that asks and cannot be asked, since its port is shut to this director: by what it asked,
// as it was answered. Nobody else can tell the two.
func (s *step) settleUnanswered(rival string, segments map[string]Segment) {
	c := s.contenders[rival]
	q := c.ask
	if !q.Owns || s.now.Sub(c.asked) >= contenderFor || s.named(rival).Unheard < unheardAfter || !s.reachesSome(rival, segments) || s.contestedWith(rival, q.Epoch, q.Named, q.Place) != rival {
		return
	}
	s.concede(fmt.Sprintf("%s gives %s up to %s, which %s, and cannot be asked", s.Self, s.Group, rival, s.because(rival, q.Epoch, q.Named)))
}

// spokenTo reports whether a majority of the voters, this director included, was heard over the cluster port lately.
func (f Facts) spokenTo() bool {
	silent := 0
	for _, m := range f.Members {
		if m.Unheard >= unheardAfter && !m.Joins {
			silent++
		}
	}
	return 2*(f.Voters-silent) > f.Voters
}
