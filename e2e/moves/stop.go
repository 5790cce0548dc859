package moves

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/quorate/quorate/agent"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// StopsUnagreed stops the owner's agent where nothing can be agreed, while connections begin: it gives the address up on the
// wire, and those that are too young for the sync daemons to have told of them are fetched from it before it ends. It says
// where they are not; the sync daemons bring them a moment later as long as its kernel goes on, so that none need break.
func StopsUnagreed(t lab.T, a *lab.Article) {
	for _, d := range a.Directors {
		d.SlowDisk = &lab.SlowDisk{}
	}
	a.Cluster(t)
	a.Apply(File)
	owner := a.Director(a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP))
	a.AwaitReady(t, 30*time.Second)
	for _, d := range a.Directors {
		if d != owner {
			defer d.SlowDisk.Hangs()()
		}
	}
	control := owner.Control()
	if err := control.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%v", err)
	}
	var began []*lab.Conns
	lab.Eventually(t, 30*time.Second, "the agent has stopped", func() error {
		if !control.Alive() {
			return nil
		}
		c := a.Client.Connections(lab.Connections{To: lab.OuterVIP + ":7", Count: 10, Interval: 2 * time.Second, Limit: time.Minute})
		t.Cleanup(c.Stop)
		began = append(began, c)
		time.Sleep(300 * time.Millisecond)
		return errors.New("it runs")
	})
	log, err := os.ReadFile(owner.LogFile("agent"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if bytes.Contains(log, []byte(agent.NotTaken)) {
		t.Errorf("the newest connections were not fetched from it:\n%s", log)
	}
	movedTogether(t, a, owner.Host, 5*time.Second)
	time.Sleep(hangs)
	for i, c := range began {
		r := c.Close()
		what := fmt.Sprintf("those that began %d of %d", i+1, len(began))
		t.Logf("%s: %v", what, r)
		if len(r.Broken()) > 0 || r.Longest() > hangs {
			t.Errorf("%s: connections broken: %v", what, r)
		}
	}
}
