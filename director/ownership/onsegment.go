package ownership

import "fmt"

// yieldsTo asks the owner not to resist a claim, once this director knows that it is itself on each segment of the group. Where it
// hears the owner it is; where it does not, and reaches neither a member nor the gateway there, it would serve nobody. An
// operator who forces the move, or has the owner own nothing, knows better.
func (s *step) yieldsTo(t *take) {
	if !s.goesOn(t) {
		return
	}
	var deaf []string
	for _, r := range s.Keeper.Routers {
		if r.hears() != t.from {
			deaf = append(deaf, r.Name)
		}
	}
	if len(deaf) == 0 || t.intent.Forced || s.named(t.from).Draining {
		s.yieldTake(t)
		return
	}
	s.survey(nil, deaf, surveyLimit, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		alone := unreached(deaf, segments)
		if alone == "" {
			s.yieldTake(t)
			return
		}
		s.endTake(t, fmt.Errorf("%s reaches neither a member nor a gateway on the segment of %s", s.Self, alone))
	})
}

// unreached returns the first of some routers on whose segment neither a member nor the gateway is reached, or "".
func unreached(routers []string, segments map[string]Segment) string {
	for _, router := range routers {
		if seg, asked := segments[router]; asked && len(seg.Reached) == 0 && !seg.Gateway {
			return router
		}
	}
	return ""
}
