package moves

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// What becomes of those who agree. NoQuorum and Recovery leave one director of three.
var (
	NoQuorum      = proof.Step{Name: "without quorum requests go on", Proof: func(t lab.T, a *lab.Article) { withoutQuorum(t, a) }}
	Recovery      = proof.Step{Name: "without quorum requests go on, and a recovery loses none", Proof: recoveryLosesNothing}
	ControlKilled = proof.Step{Name: "control is killed everywhere and requests go on", Proof: controlKilledEverywhere}
	// Poisoned needs a build that lets an entry that cannot be applied into the log.
	Poisoned = proof.Step{Name: "a poisoned entry stops nobody", Proof: poisonStopsNobody}
)

// withoutQuorum kills two machines, then restarts the third's agent: it serves, its table unchanged. It returns the
// third.
func withoutQuorum(t lab.T, a *lab.Article) *lab.Director {
	lab.Eventually(t, 15*time.Second, "all servers are up", func() error { return proof.SameTables(a, servers) })
	last := a.Directors[2]
	before := last.IPVS()
	for _, d := range a.Directors[:2] {
		d.Die()
	}
	lab.Eventually(t, diesWithin, last.Name+" owns", func() error { return owns(a, last) })
	lab.Eventually(t, 15*time.Second, last.Name+" says that there is no quorum", func() error {
		st, err := last.Status()
		if err == nil && st.Quorum {
			err = errors.New("it says that there is a quorum")
		}
		return err
	})
	time.Sleep(5 * time.Second) // longer than the grace that an election is given
	serves(t, a, "without quorum")
	control := last.Control()
	control.Kill()
	serves(t, a, "without control")
	last.Agent(t)
	serves(t, a, "after a restart without quorum")
	start := time.Now()
	if out, err := last.Quorate("apply", last.WriteFile("empty.hcl", ""), "--yes", "--allow-empty"); err == nil {
		t.Errorf("a change was accepted without quorum: %s", out)
	}
	time.Sleep(3*time.Second - time.Since(start)) // what a reconciler would do wrongly, it has done by now
	if diff := cmp.Diff(before, last.IPVS()); diff != "" {
		t.Errorf("the table changed (-before +after):\n%s", diff)
	}
	if err := owns(a, last); err != nil {
		t.Errorf("%v", err)
	}
	serves(t, a, "three seconds later")
	return last
}

func owns(a *lab.Article, d *lab.Director) error {
	for _, vip := range []string{lab.OuterVIP, lab.InnerVIP} {
		if owners := a.Owners(vip); len(owners) != 1 || owners[0] != d.Host {
			return fmt.Errorf("%s: %v", vip, errOwners(owners, nil))
		}
	}
	return nil
}

// serves holds that a second of requests loses none.
func serves(t lab.T, a *lab.Article, when string) {
	t.Helper()
	client := a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 20})
	time.Sleep(time.Second)
	if r := client.Close(); len(r.Failures) > 0 || r.OK == 0 {
		t.Errorf("%s: %v", when, r)
	}
}

func controlKilledEverywhere(t lab.T, a *lab.Article) {
	lab.Eventually(t, 15*time.Second, "all servers are up", func() error { return proof.SameTables(a, servers) })
	owner := a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP)
	client := a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 20})
	for _, d := range a.Directors {
		d.Control().Kill()
	}
	time.Sleep(8 * time.Second)
	r := client.Close()
	t.Logf("no control anywhere: %v", r)
	if len(r.Failures) > 0 {
		t.Errorf("requests lost: %v", r)
	}
	if now := a.AwaitOwner(t, time.Second, lab.OuterVIP); now != owner {
		t.Errorf("%s owns, before: %s", now.Name, owner.Name)
	}
	a.Agents(t)
	a.AwaitReady(t, 30*time.Second)
	serves(t, a, "with control again")
}

func poisonStopsNobody(t lab.T, a *lab.Article) {
	lab.Eventually(t, 15*time.Second, "all servers are up", func() error { return proof.SameTables(a, servers) })
	poison(t, a)
	for _, d := range a.Directors {
		lab.Eventually(t, 20*time.Second, d.Name+" says of every director that it cannot apply the entry", func() error {
			out, err := d.Quorate("status")
			if err == nil && strings.Count(out, "cannot be applied here") < len(a.Directors) {
				err = errors.New(out)
			} else if _, ended := d.FindProcess("agent"); err != nil && ended != nil {
				t.Fatalf("%s does not say that it cannot apply the entry: %v", d.Name, err)
			}
			if err != nil {
				time.Sleep(200 * time.Millisecond) // to look is dear in a guest
			}
			return err
		})
	}
	serves(t, a, "with a poisoned entry")
	if err := proof.SameTables(a, servers); err != nil {
		t.Errorf("%v", err)
	}
	for _, d := range a.Directors { // and they come back with it
		d.Control().Kill()
		d.Agent(t)
	}
	serves(t, a, "after restarts with a poisoned entry")
}

// poison puts an entry that cannot be decoded into the log of all directors.
func poison(t lab.T, a *lab.Article) {
	t.Helper()
	for _, d := range a.Directors {
		if err := os.WriteFile(filepath.Join(d.DataDir(), "poison"), nil, 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
}
