package wire

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// TestAJoinerThatNobodyReachesSaysSo has a firewall drop what the cluster sends to the cluster port of one that joins,
// and take itself back.
func TestAJoinerThatNobodyReachesSaysSo(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "f", 2)
	first, second := w.Directors[0], w.Directors[1]
	first.Agent(t)
	second.Agent(t)
	command(t, first, "init").want(t, 0)
	token := strings.TrimSpace(command(t, first, "token", "create").want(t, 0).out)
	undo := w.DropFrom(first.Host, second.Host, lab.Traffic{"tcp dport 7400"})
	join := second.Start("join", binary(t), "join", first.Bind, "--token", token)
	nobody := "no other director has connected to it on " + second.Bind + ":7400/tcp: a firewall"
	lab.Eventually(t, 15*time.Second, "join and status say what is wrong", func() error {
		said, err := os.ReadFile(second.LogFile("join"))
		if err != nil || !strings.Contains(string(said), "waiting: ") || !strings.Contains(string(said), nobody) {
			return fmt.Errorf("the join says %q, %v", said, err)
		}
		out, err := second.Quorate("status")
		if err == nil && !strings.Contains(out, nobody) {
			err = fmt.Errorf("status says\n%s", out)
		}
		return err
	})
	undo()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := join.Wait(ctx); err != nil {
		said, _ := os.ReadFile(second.LogFile("join"))
		t.Errorf("once they get through: %v\n%s", err, said)
	}
}
