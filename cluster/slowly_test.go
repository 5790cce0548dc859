package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatTakesLongIsSaid(t *testing.T) {
	for took, want := range map[time.Duration][]string{999 * time.Millisecond: nil, time.Second + 1: {"no answer yet"}} {
		synctest.Test(t, func(t *testing.T) {
			var said []string
			done := false
			slowly(func(text string) { said = append(said, text) }, "no answer yet", func() {
				time.Sleep(took)
				done = true
			})
			if !slices.Equal(said, want) || !done {
				t.Errorf("%v: said %q, done %v", took, said, done)
			}
		})
	}
}
