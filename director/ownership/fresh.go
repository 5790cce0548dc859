package ownership

import "slices"

// fresh is what is done while the keeper is Backup and has heard nobody since its start.
type fresh struct {
	is    bool
	asked []string // who owned the group by its report when it was asked last
}

// lookFresh asks who owns the group when the keeper has just been started or has stood still, and whoever reports
// then that it does. The keeper may have found the addresses on the host, and goes on as the owner unless somebody
// else is heard within an interval: where adverts do not pass, this director tells it.
func (s *step) lookFresh() {
	heard := func(r Router) bool { return r.Heard != "" || r.Other }
	if s.Keeper.Part != Standby || len(s.Keeper.Routers) == 0 || slices.ContainsFunc(s.Keeper.Routers, heard) {
		s.fresh = fresh{}
		return
	}
	ask := s.others()
	if s.fresh.is {
		ask = slices.DeleteFunc(s.owners(), func(name string) bool { return slices.Contains(s.fresh.asked, name) })
	}
	s.fresh = fresh{true, s.owners()}
	owns := func(s *step, from string, word Attestation, _ bool) {
		if word.Owns && s.fresh.is && s.joined(from, word) {
			s.await(func(id uint64) Action { return Concede{id} }, func(*step, Done) {})
		}
	}
	s.survey(ask, nil, surveyLimit, owns, func(*step, map[string]Attestation, map[string]Segment) {})
}
