package keeper

import (
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

func TestWhatAGroupIsToldAfterAStall(t *testing.T) {
	const listening, lifetime = 1100 * time.Millisecond, 3 * time.Second
	begun := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		events []vrrp.Event // until then
		stall  Stall        // its time, too, counts from begun
		after  time.Duration
		want   []vrrp.Event
	}{
		"an owner on time":                            {begins(vrrp.Claim{Priority: 220}), Stall{}, time.Second, nil},
		"one that was frozen for less than others":    {begins(vrrp.Claim{Priority: 220}), Stall{Frozen: 2 * time.Second}, 2 * time.Second, nil},
		"one that others may have waited for":         {begins(vrrp.Claim{Priority: 220}), Stall{Frozen: 3 * time.Second}, 3 * time.Second, []vrrp.Event{vrrp.Stalled{}}},
		"one that was frozen for long":                {begins(vrrp.Claim{Priority: 220}), Stall{Frozen: 5 * time.Second}, 5 * time.Second, []vrrp.Event{vrrp.Stalled{Resume: listening}, vrrp.Abandon{}}},
		"one whose host was suspended for a moment":   {begins(vrrp.Claim{Priority: 220}), Stall{Frozen: time.Second, Asleep: time.Second}, 0, []vrrp.Event{vrrp.Stalled{Resume: listening}}},
		"one whose host was suspended for long":       {begins(vrrp.Claim{Priority: 220}), Stall{Frozen: 4 * time.Second, Asleep: 4 * time.Second}, 0, []vrrp.Event{vrrp.Stalled{Resume: listening}, vrrp.Abandon{}}},
		"a standby whose host was suspended":          {begins(), Stall{Frozen: time.Second, Asleep: time.Second}, 0, []vrrp.Event{vrrp.Stalled{Resume: listening}}},
		"one that listens, and was frozen":            {[]vrrp.Event{vrrp.Start{Resume: listening}}, Stall{Frozen: 20 * time.Second}, 20 * time.Second, nil},
		"one that listens, and was suspended":         {[]vrrp.Event{vrrp.Start{Resume: listening}}, Stall{Frozen: 100 * time.Millisecond, Asleep: 100 * time.Millisecond}, 0, []vrrp.Event{vrrp.Stalled{Resume: listening}}},
		"one that was not started, and is suspended":  {nil, Stall{Frozen: time.Hour, Asleep: time.Hour}, 0, nil},
		"one without a segment, and it was suspended": {begins(vrrp.Fault{Reason: "down"}), Stall{Frozen: time.Hour, Asleep: time.Hour}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := vrrp.NewGroup()
			g.Add("in", vrrp.Config{Interval: time.Second, Priority: 200}, "")
			for _, ev := range tt.events {
				g.Step(begun, "in", ev)
			}
			tt.stall.Now = begun.Add(tt.after)
			if got := tt.stall.Events(g, listening, lifetime); !slices.Equal(got, tt.want) {
				t.Errorf("%#v, want %#v", got, tt.want)
			}
		})
	}
}

// begins starts a group, and has it do something.
func begins(then ...vrrp.Event) []vrrp.Event { return append([]vrrp.Event{vrrp.Start{}}, then...) }

func TestAControlThatStoodStillHasNotBeenAsked(t *testing.T) {
	now := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		stall Stall
		due   time.Time
		want  bool
	}{
		"for long":                   {Stall{Frozen: StoodStill}, now.Add(-LoopSlack - 1), true},
		"it had nothing to do":       {Stall{Frozen: time.Hour}, time.Time{}, false},
		"it was on time":             {Stall{Frozen: time.Hour}, now.Add(-LoopSlack), false},
		"for a moment":               {Stall{Frozen: StoodStill - 1}, now.Add(-time.Second), false},
		"suspended, and due later":   {Stall{Frozen: time.Minute, Asleep: time.Minute}, now.Add(time.Second), true},
		"suspended, and due long on": {Stall{Frozen: time.Minute, Asleep: time.Minute}, now.Add(time.Hour), false},
		"suspended, and nothing due": {Stall{Frozen: time.Minute, Asleep: time.Minute}, time.Time{}, false},
	} {
		tt.stall.Now = now
		if got := tt.stall.Unasked(tt.due); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
