package e2e

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/director/suspend"
	"github.com/quorate/quorate/e2e/lab"
)

// The guest cannot be suspended. Its clock can be set, to what it is: for the kernel's timers that is the same, and the clock
// knows that it was none.
func TestASuspendWakesWhoWatchesForIt(t *testing.T) {
	if os.Getenv(lab.EnvInGuest) != "guest" {
		t.Skip("it would set the clock of this machine")
	}
	clock, woken := suspend.NewClock(), make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- suspend.Watch(t.Context(), func() { woken <- struct{}{} }) }()
	for end := time.Now().Add(10 * time.Second); ; {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
			t.Fatal(err)
		}
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
			if asleep := clock.Since(time.Now()); asleep != 0 {
				t.Errorf("it was suspended for %v", asleep)
			}
			return
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond): // it may not watch yet
		}
		if time.Now().After(end) {
			t.Fatal("nobody is woken")
		}
	}
}
