package hush

import (
	"testing"
	"testing/synctest"
	"time"
)

// Whoever sends packets from as many addresses as there are makes no more lines than are let through.
func TestWhatStrangersMakeUpFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Said{Most: 16}
		said := 0
		for i := range 100_000 {
			if s.News("garbled", i) {
				said++
			}
			time.Sleep(time.Millisecond)
		}
		if most := 16 * int(100*time.Second/Again); said < most/2 || said > most {
			t.Errorf("%d lines in 100 s, no more than %d are to be", said, most)
		}
		time.Sleep(Again)
		if !s.News("garbled", 1) || s.News("garbled", 1) {
			t.Error("after a silence it is not said once")
		}
	})
}
