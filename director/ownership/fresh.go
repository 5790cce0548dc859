package ownership

import "slices"

// lookFresh asks who owns the group when the keeper has just been started or has stood still. It may have found the
// addresses on the host, and goes on as the owner unless somebody else is heard within an interval: where adverts do
// not pass, this director tells it.
func (s *step) lookFresh() {
	heard := func(r Router) bool { return r.Heard != "" || r.Other }
	fresh := s.Keeper.Part == Standby && len(s.Keeper.Routers) > 0 && !slices.ContainsFunc(s.Keeper.Routers, heard)
	if fresh == s.fresh {
		return
	}
	s.fresh = fresh
	if !fresh {
		return
	}
	owns := func(s *step, from string, word Attestation, _ bool) {
		if word.Owns && s.fresh && s.joined(from, word) {
			s.await(func(id uint64) Action { return Concede{id} }, func(*step, Done) {})
		}
	}
	s.survey(s.others(""), nil, surveyLimit, owns, func(*step, map[string]Attestation, map[string]Segment) {})
}
