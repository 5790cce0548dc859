package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/agent"
)

func TestAKeeperMayTakeAsLongToStopAsItsHandOver(t *testing.T) {
	t.Parallel()
	if handOverLimit < agent.StopLimit {
		t.Errorf("a keeper says goodbye after %v, and control hands over for %v", handOverLimit, agent.StopLimit)
	}
	limit := stopLimit(t, "quorate-keeper")
	if limit < handOverLimit+5*time.Second {
		t.Errorf("systemd kills a keeper after %v, whose hand-over takes up to %v", limit, handOverLimit)
	}
}

func TestControlMayTakeAsLongToStopAsItsHandOver(t *testing.T) {
	t.Parallel()
	if limit := stopLimit(t, "quorate"); limit < agent.StopLimit+15*time.Second {
		t.Errorf("systemd kills control after %v, whose hand-over takes up to %v", limit, agent.StopLimit)
	}
}

// stopLimit is after what time systemd kills a unit that was told to stop.
func stopLimit(t *testing.T, unit string) time.Duration {
	t.Helper()
	text, err := os.ReadFile("../../dist/systemd/" + unit + ".service")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nTimeoutStopSec=")
	value, _, _ := strings.Cut(after, "\n")
	limit, err := time.ParseDuration(value)
	if err != nil {
		t.Fatal(err)
	}
	return limit
}

func TestAKeeperWithoutPrivilegeSaysHowToRunIt(t *testing.T) {
	t.Parallel()
	other := errors.New("no such device")
	if got := unprivileged(other); got != other {
		t.Errorf("%v", got)
	}
	denied := fmt.Errorf("open a packet socket: %w", os.NewSyscallError("socket", syscall.EPERM))
	if got := unprivileged(denied); !errors.Is(got, syscall.EPERM) || !strings.Contains(got.Error(), "`systemctl start quorate-keeper`") {
		t.Errorf("%v", got)
	}
}
