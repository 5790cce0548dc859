package groups

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/fsm"
)

func TestABeatHasTheGroupsLookedAtOnlyWhileAMemberIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beat = 100 * time.Millisecond
		var looks, suspects atomic.Int64
		d := New(Config{
			Keeper: keeperlink.New("/nowhere", nil, hclog.NewNullLogger()), Log: hclog.NewNullLogger(),
			OnTime:   func(time.Time) bool { return true },
			Suspects: func(time.Time) time.Duration { return time.Duration(suspects.Load()) },
			Now:      func() Now { looks.Add(1); return Now{State: &fsm.State{}} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		go d.Run(ctx)
		second := func() int64 {
			synctest.Wait()
			before := looks.Load()
			for range time.Second / beat {
				d.Beat()
				time.Sleep(beat)
			}
			synctest.Wait()
			return looks.Load() - before
		}
		if got := second(); got != 0 {
			t.Errorf("all are well, and they are looked at %d times a second", got)
		}
		suspects.Store(int64(beat / 2))
		if got := second(); got < 10 || got > 30 {
			t.Errorf("one is silent, and they are looked at %d times a second, want once each beat at least", got)
		}
		suspects.Store(0)
		second()
		if got := second(); got != 0 {
			t.Errorf("all are well again, and they are looked at %d times a second", got)
		}
		cancel()
	})
}
