package wire

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// TestAFlippedBitInTheLeadersMemoryIsFoundAndHealed flips one in what no command touches again. The control comes first,
// in the same cluster: where nobody scrubs, no director finds it, since the hashes that they compare are the same.
func TestAFlippedBitInTheLeadersMemoryIsFoundAndHealed(t *testing.T) {
	t.Parallel()
	w := mutantsAs(t, "fb", mutant.NoScrub)
	w.Cluster(t)
	w.apply(t, routerFile)
	owner := w.settled(t)
	leader := w.leader(t)
	other := w.others(leader)[0]
	const said = "the state in memory is not what the log has led to"
	if err := os.WriteFile(filepath.Join(leader.DataDir(), "flip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 5*time.Second, "the bit is flipped", func() error {
		if _, err := os.Stat(filepath.Join(leader.DataDir(), "flip")); err == nil {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(proof.Long(9*time.Second, 15*time.Second)) // longer than two scrubs take: the first may just have begun
	if out := command(t, other, "status").want(t, 0).out; strings.Contains(out, said) || strings.Contains(out, "not ready") {
		t.Fatalf("found without a scrub:\n%s", out)
	}
	for _, d := range w.Directors {
		d.WriteFile("mutant", "none")
	}
	began := time.Now()
	lab.Eventually(t, 20*time.Second, "it is healed", func() error {
		if out := command(t, other, "status").want(t, 0).out; !strings.Contains(out, "! "+leader.Name+": its state was wrong and was made anew") {
			return errors.New(out)
		}
		return nil
	})
	t.Logf("RESULT found and healed after %v", time.Since(began).Round(100*time.Millisecond))
	command(t, leader, "events").want(t, 0).has(t, "the state of "+leader.Name+" was wrong, and is made anew", said)
	w.AwaitReady(t, 20*time.Second)
	if now := w.agreed(t); now != owner {
		t.Errorf("%s owns, and %s did", now.Name, owner.Name)
	}
	command(t, leader, "token", "create").want(t, 0)
}
