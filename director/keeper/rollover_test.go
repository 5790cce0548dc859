package keeper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// The keys of a change: each is 32 bytes.
var (
	oldKey = strings.Repeat("0a", 32)
	newKey = strings.Repeat("0b", 32)
)

// signed is an order by these keys.
func signed(priority uint8, auth Auth) Order {
	g := gateway(priority, 1, time.Second, "wan")
	auth.Kind = "hmac"
	g.Routers[0].Auth = &auth
	return Order{Groups: []Group{g}}
}

// denied counts the adverts that a box did not believe since its signature was wrong.
func (b *box) denied() uint64 {
	g, _ := b.status().Group("gateway")
	d := g.Routers[0].Drops
	return d[vrrp.DropSignature] + d[vrrp.DropReplay] + d[vrrp.DropClock] + d[vrrp.DropUnsigned]
}

// Each step of a change of keys reaches the directors one after the other, as far apart as never in life.
func TestV74KeysAreChangedInThreeStepsWithoutAMomentOfDisbelief(t *testing.T) {
	first := Auth{KeyID: 1, Key: oldKey}
	rollover := []Auth{
		{KeyID: 1, Key: oldKey, OtherID: 2, OtherKey: newKey},
		{KeyID: 2, Key: newKey, OtherID: 1, OtherKey: oldKey},
		{KeyID: 2, Key: newKey},
	}
	for _, tt := range []struct {
		name   string
		steps  []Auth
		smooth bool
	}{
		{"in three steps", rollover, true},
		{"at once", rollover[2:], false}, // the control
		{"without the first step", rollover[1:], false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var err error
				if w.profile.Signing, err = rollover[0].signing(); err != nil {
					t.Fatal(err)
				}
				boxes := []*box{w.box(1), w.box(2), w.box(3)}
				priorities := []uint8{220, 160, 140}
				for i, b := range boxes {
					b.start()
					b.order(signed(priorities[i], first))
				}
				defer w.stop()
				time.Sleep(10 * time.Second)
				transitions := func() (n int) {
					for _, b := range boxes {
						n += len(b.status().Transitions)
					}
					return n
				}
				before := transitions()
				for _, auth := range tt.steps {
					for i, b := range boxes {
						b.order(signed(priorities[i], auth))
						time.Sleep(10 * time.Second)
					}
				}
				if boxes[0].state() != "active" {
					t.Errorf("the owner is %s", boxes[0].state())
				}
				smooth := transitions() == before
				for _, b := range boxes {
					smooth = smooth && b.denied() == 0
				}
				if smooth != tt.smooth {
					t.Errorf("without a moment of disbelief: %v, want %v; %d transitions more", smooth, tt.smooth, transitions()-before)
				}
			})
		})
	}
}

func TestAnOtherKeyThatIsNoneIsRefused(t *testing.T) {
	for name, auth := range map[string]Auth{
		"no hex":          {KeyID: 1, Key: oldKey, OtherID: 2, OtherKey: "xx"},
		"too short":       {KeyID: 1, Key: oldKey, OtherID: 2, OtherKey: "0b"},
		"the same number": {KeyID: 1, Key: oldKey, OtherID: 1, OtherKey: newKey},
	} {
		if err := signed(220, auth).Validate(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
