package agent

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster"
)

// Of two that recover the same cluster side by side one is left behind, mostly before it leads.
func TestARecoveryThatAnotherLeavesBehindSaysSo(t *testing.T) {
	t.Parallel()
	a, s, _ := ofTwo(t)
	if err := s.node.Remove(t.Context(), "d2", true); err != nil {
		t.Fatal(err)
	}
	soon(t, "it knows that it is removed", func() bool { return s.node.Removed() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.waitLed(ctx, func(string) {}); !errors.Is(err, cluster.ErrRemoved) {
		t.Errorf("it waits for a leader: %v", err)
	}
	if err := a.Init(ctx, func(string) {}); !errors.Is(err, cluster.ErrRemoved) {
		t.Errorf("init: %v", err)
	}
}
