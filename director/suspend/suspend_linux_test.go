package suspend

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTheTimerOfAWatchIsBeyondEveryClock(t *testing.T) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var left unix.ItimerSpec
	if err := errors.Join(never(fd), unix.TimerfdGettime(fd, &left)); err != nil {
		t.Fatal(err)
	}
	latest := time.Date(2232, 1, 1, 0, 0, 0, 0, time.UTC)
	if end := time.Now().Add(time.Duration(left.Value.Nano())); end.Before(latest) {
		t.Errorf("it fires in %v", end)
	}
}
