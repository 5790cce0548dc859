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
	if handOverLimit < agent.GiveAwayLimit {
		t.Errorf("a keeper says goodbye after %v, and control waits for moves for %v", handOverLimit, agent.GiveAwayLimit)
	}
	unit, err := os.ReadFile("../../dist/systemd/quorate-keeper.service")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(unit), "\nTimeoutStopSec=")
	text, _, _ := strings.Cut(after, "\n")
	limit, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	if limit < handOverLimit+5*time.Second {
		t.Errorf("systemd kills a keeper after %v, whose hand-over takes up to %v", limit, handOverLimit)
	}
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
