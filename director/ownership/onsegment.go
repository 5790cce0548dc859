package ownership

import (
	"errors"
	"fmt"
	"slices"
)

// yieldsTo asks the owner not to resist a claim, once this director knows that it is itself on each segment of the group. Where it
// hears the owner it is; where it does not, and reaches neither a member nor the gateway there, it would serve nobody. Nor does it
// take the group where the kernel of a third one answers that is not heard, as on this side of a cut: that would not hear the claim. Who
// has the owner own nothing knows better, and so does who forces the move: that one is told what comes of it.
func (s *step) yieldsTo(t *take) {
	var deaf []string
	for _, r := range s.Keeper.Routers {
		if r.hears() != t.from {
			deaf = append(deaf, r.Name)
		}
	}
	if len(deaf) == 0 || s.named(t.from).Draining {
		s.yieldTake(t)
		return
	}
	s.survey(nil, deaf, surveyLimit, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		if !s.waitsFor(t) {
			return
		}
		alone := unreached(deaf, segments)
		third, where := s.third(t.from, segments)
		why, then := "", ""
		switch {
		case alone != "":
			why = fmt.Sprintf("%s reaches neither a member nor a gateway on the segment of %s", s.Self, alone)
			then = "it goes back as soon as the others find that"
		case third != "":
			why = fmt.Sprintf("the kernel of %s answers on the segment of %s, and it is not heard", third, where)
			then = "both may answer for a while"
		}
		if why != "" && !t.intent.Forced {
			s.endTake(t, errors.New(why))
			return
		}
		if why != "" {
			s.costs(t, why+": "+then)
		}
		s.yieldTake(t)
	})
}

// third returns a member but the owner that answers for the address of a router on which nobody is heard now, and which router
// that is; or "".
func (s *step) third(owner string, segments map[string]Segment) (member, router string) {
	for i, r := range s.Keeper.Routers {
		seg := segments[r.Name]
		serves := seg.Serves
		if last := s.lastOwner(i); seg.Virtual && slices.Contains(seg.Reached, last) && !slices.Contains(seg.Reached, owner) {
			serves = last
		}
		if serves != "" && serves != owner && r.Silent {
			return serves, r.Name
		}
	}
	return "", ""
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
