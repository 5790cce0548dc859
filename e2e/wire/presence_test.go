package wire

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// TestWhoStopsIsKnownToHaveStopped has an agent stop in order and another hang. A group is not moved to either, which
// is said at once, and the events have who went and who came back.
func TestWhoStopsIsKnownToHaveStopped(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "st", 3)
	owner := w.settled(t)
	to, third := w.others(owner)[0], w.others(owner)[1]
	agent := to.Control()
	if err := agent.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	says := func(d *lab.Director, what, show string) {
		t.Helper()
		lab.Eventually(t, 20*time.Second, d.Name+" says "+what, func() error {
			out, err := d.Quorate(show)
			if err == nil && !strings.Contains(out, what) {
				err = fmt.Errorf("it says\n%s", out)
			}
			return err
		})
	}
	for _, d := range []*lab.Director{owner, third} {
		says(d, to.Name+" was stopped", "status")
	}
	command(t, third, "move", group, to.Name).refused(t, to.Name+" ", "stopped")
	to.Agent(t)
	w.settled(t)
	for _, d := range []*lab.Director{owner, third} {
		says(d, to.Name+" was stopped", "events")
		says(d, to.Name+" answers again, after ", "events")
	}
	if err := to.Control().Freeze(); err != nil {
		t.Fatal(err)
	}
	command(t, third, "move", group, to.Name, "--force").refused(t, to.Name+" does not answer")
	if err := to.Control().Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if now := w.settled(t); now != owner {
		t.Errorf("%s owns", now.Name)
	}
}
