package wire

import (
	"fmt"
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
	joined := make(chan result, 1)
	go func() { joined <- command(t, second, "join", first.Bind, "--token", token) }()
	lab.Eventually(t, 15*time.Second, "the joiner says what is wrong", func() error {
		out, err := second.Quorate("status")
		if err == nil && !strings.Contains(out, "no other director has connected to it on "+second.Bind+":7400/tcp: a firewall") {
			err = fmt.Errorf("it says\n%s", out)
		}
		return err
	})
	undo()
	r := <-joined
	r.want(t, 0)
	if !strings.Contains(r.err, "waiting: ") || !strings.Contains(r.err, second.Bind+":7400/tcp") {
		t.Errorf("the join has said nothing of it: %q", r.err)
	}
}
