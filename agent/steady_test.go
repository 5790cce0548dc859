package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/config"
)

func TestATickIsDueAtABeatHoweverLateTheOneBeforeWas(t *testing.T) {
	const ms, beat = time.Millisecond, 100 * time.Millisecond
	at := time.Unix(1000, 0)
	for _, tt := range []struct{ every, beat, now, want time.Duration }{
		{beat, beat, 0, beat},
		{300 * ms, beat, 0, 300 * ms},
		{300 * ms, beat, 2 * ms, 300 * ms},
		{300 * ms, beat, -ms / 2, 300 * ms}, // a timer goes by another clock
		{300 * ms, beat, 49 * ms, 300 * ms},
		{300 * ms, beat, 60 * ms, 400 * ms}, // as the beats are then
		{time.Second, beat, 2 * ms, time.Second},
		{300 * ms, 200 * ms, 2 * ms, 302 * ms}, // no whole beats
		{200 * ms, time.Second, 2 * ms, 202 * ms},
	} {
		if got := nextTick(at.Add(tt.now), tt.every, tt.beat).Sub(at); got != tt.want {
			t.Errorf("every %v with beats of %v, %v after one: the next is at %v, want %v", tt.every, tt.beat, tt.now, got, tt.want)
		}
	}
}

func TestTicksStayWithTheBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 300 * time.Millisecond
		s := &session{cfg: config.Agent{Liveness: config.DefaultLiveness}}
		time.Sleep(every/10 + time.Microsecond) // any time
		tick := s.ticker(every)
		defer tick.Stop()
		last := <-tick.C
		for range 100 {
			time.Sleep(3 * time.Millisecond) // it is taken late
			now := <-tick.C
			if now.Sub(now.Truncate(config.DefaultLiveness)) != 0 || now.Sub(last) != every {
				t.Fatalf("a tick at %v, %v after the one before", now, now.Sub(last))
			}
			last = now
		}
	})
}

func TestTicksThatNobodyTakesAreLeftOutAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{cfg: config.Agent{Liveness: config.DefaultLiveness}}
		tick := s.ticker(time.Second)
		time.Sleep(time.Minute)
		<-tick.C
		began := time.Now()
		if now := <-tick.C; now.Sub(began) > time.Second || now.Before(began) {
			t.Errorf("the next tick was at %v, waited for since %v", now, began)
		}
		time.Sleep(2 * time.Second) // one is not taken
		tick.Stop()
		<-tick.C
		select {
		case now := <-tick.C:
			t.Errorf("it was stopped, and ticks at %v", now)
		case <-time.After(time.Minute):
		}
	})
}
