package ownership

import (
	"testing"
	"time"
)

// Two claims of the same priority are settled by the higher address, on the one segment on which both are heard: so who is cut
// off on the other would keep the group for as long as its claim lasts.
func TestAClaimIsAboveThatOfWhoIsClaimedFromAsCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		heard func(k *Keeper, r *Router)
		want  uint8
	}{
		"it has the group by a claim": {func(_ *Keeper, r *Router) { r.Claims = true }, ClaimLow + 1},
		"its claim has ended":         {func(*Keeper, *Router) {}, ClaimLow},
		"it advertises less often":    {func(_ *Keeper, r *Router) { r.Claims, r.Age = true, 5*time.Second }, ClaimLow + 1},
		"its claim was heard a while ago, by who owns the group since": {
			func(k *Keeper, r *Router) { k.Part, r.Claims, r.Age = Owner, true, 5*time.Second }, ClaimLow,
		},
		"it is heard no more": {func(_ *Keeper, r *Router) { r.Claims, r.Silent = true, true }, ClaimLow},
		"nobody was heard":    {func(_ *Keeper, r *Router) { r.Claims, r.Heard = true, "" }, ClaimLow},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			tt.heard(&s.Keeper, &s.Keeper.Routers[0])
			if got := ClaimPriority(s.toBeat()); got != tt.want {
				t.Errorf("it claims with %d, not %d", got, tt.want)
			}
		})
	}
	s := newStory(t)
	s.apart()
	s.Keeper.Routers[0].Claims = true
	s.letsTimeOut(Attestation{})
	s.does(guards("claimed from"), Claim{Priority: ClaimLow + 1})
}

func TestAPlannedMoveFromWhoHasJustClaimedIsNoLessThanItsClaim(t *testing.T) {
	s := newStory(t)
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Claims = true
	}
	s.member("d1").Unheard = Mute
	s.wants()
	s.does(Claim{Priority: ClaimLow + 1})
}
