package ownership

import (
	"slices"
	"time"
)

// freshAgain is how long to wait before who owns the group on another side of a cut is asked once more.
const freshAgain = 100 * time.Millisecond

// fresh is what is done while the keeper is Backup and has heard nobody since its start.
type fresh struct {
	is    bool
	since time.Time
	asked []string // who owned the group by its report when it was asked last
}

// lookFresh asks who owns the group when the keeper has just been started or has stood still, and whoever reports
// then that it does, on whichever side of a cut. The keeper may have found the addresses on the host, and goes on as the owner unless somebody
// else is heard within an interval: where adverts do not pass, this director tells it. No timer waits for the answers: where
// adverts are rare, one that is farther away than the guard waits for comes in time all the same. At ten a second the keeper goes on
// after some 0.4 s, and what comes later is not acted on: it may be of before that. A contest settles it then.
func (s *step) lookFresh() {
	heard := func(r Router) bool { return r.Heard != "" || r.Other }
	if s.Keeper.Part != Standby || len(s.Keeper.Routers) == 0 || slices.ContainsFunc(s.Keeper.Routers, heard) {
		s.fresh = fresh{}
		return
	}
	ask := s.others()
	if s.fresh.is {
		ask = slices.DeleteFunc(s.owners(), func(name string) bool { return slices.Contains(s.fresh.asked, name) })
	} else {
		s.fresh.is, s.fresh.since = true, s.now
	}
	s.fresh.asked = s.owners()
	since := s.fresh.since
	owns := func(s *step, from string, word Attestation, _ bool) {
		switch {
		case !word.Owns || !s.fresh.is || !s.fresh.since.Equal(since): // of before
		case s.joined(from, word):
			s.await(func(id uint64) Action { return Concede{id} }, func(*step, Done) {})
		case s.now.Sub(s.fresh.since) < s.Keeper.Lifetime: // it may be whole again before this director goes on
			s.after(freshAgain, func(s *step) {
				s.fresh.asked = slices.DeleteFunc(s.fresh.asked, func(name string) bool { return name == from })
			})
		}
	}
	s.survey(ask, nil, contestLimit, owns, func(*step, map[string]Attestation, map[string]Segment) {})
}
