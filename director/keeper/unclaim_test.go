package keeper

import (
	"testing"
	"testing/synctest"
	"time"
)

// claimedApart has the second of two keepers claim a group of the first, which does not hear it.
func claimedApart(t *testing.T) (w *world, a, b *box) {
	t.Helper()
	w, a, b, c := three(t, "wan")
	c.kill()
	w.mu.Lock()
	w.cut["wan/2"] = true
	w.mu.Unlock()
	if err := b.claim(248); err != nil {
		t.Fatal(err)
	}
	return w, a, b
}

// heals joins the two, and says who owns the group a second later.
func (w *world) heals() []int {
	w.mu.Lock()
	w.cut["wan/2"] = false
	w.mu.Unlock()
	time.Sleep(1010 * time.Millisecond)
	return w.owners(vip("wan"))
}

func TestAClaimThatEndsDoesNotWinAtTheHeal(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(b *box)
		winner int
	}{
		"it goes on":            {func(*box) { time.Sleep(ClaimLasts - time.Second) }, 2},
		"it is ended":           {func(b *box) { b.do(func(now time.Time) { b.keeper.unclaim(now, b.keeper.groups["gateway"]) }) }, 1},
		"no order follows it":   {func(*box) { time.Sleep(ClaimLasts) }, 1},
		"the same order again":  {func(b *box) { b.set(160, 1, "wan") }, 2},
		"an order names it":     {func(b *box) { b.set(230, 2, "wan"); time.Sleep(ClaimLasts) }, 2},
		"it claims once more":   {func(b *box) { time.Sleep(ClaimLasts / 2); _ = b.claim(248); time.Sleep(ClaimLasts * 3 / 4) }, 2},
		"another epoch says so": {func(b *box) { b.set(160, 2, "wan") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, b := claimedApart(t)
				defer w.stop()
				tt.end(b)
				g, _ := b.status().Group("gateway")
				if g.State != "active" || g.Claimed != (g.Priority == 248) {
					t.Errorf("before the heal: %+v", g)
				}
				if got := w.heals(); len(got) != 1 || got[0] != tt.winner {
					t.Errorf("after the heal %v own it, want %d", got, tt.winner)
				}
			})
		})
	}
}
