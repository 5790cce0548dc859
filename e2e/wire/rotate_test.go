package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// rotated waits until a director says that both keys were rotated, and every director uses the new ones alone.
func (w *testnet) rotated(t lab.T, before string) {
	t.Helper()
	for _, d := range w.Directors {
		lab.Eventually(t, 20*time.Second, d.Name+" says that it is over", func() error {
			out := command(t, d, "key", "status").want(t, 0).out
			for line := range strings.Lines(out) {
				if fields := strings.Fields(line); strings.Contains(line, "still taken") || strings.Contains(line, "does not answer") || strings.Contains(before, fields[len(fields)-1]) && fields[1] != "USES" {
					return fmt.Errorf("%s\nbefore:\n%s", out, before)
				}
			}
			return nil
		})
	}
}

func TestTheClustersKeysAreRotatedWithADirectorDownAndNobodyNotices(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	owner := w.settled(t)
	at, away := w.others(owner)[0], w.others(owner)[1]
	before, epochBefore := command(t, at, "key", "status").want(t, 0).out, epoch(t, owner)
	away.Die()
	r := w.watch(t, func() {
		for d, what := range map[*lab.Director]string{at: "gossip", owner: "ca"} {
			if r := command(t, d, "key", "rotate", what).want(t, 0); !strings.Contains(r.err, "no answer comes from "+away.Name) {
				t.Errorf("rotate %s says %s", what, r.err)
			}
		}
		away.Revive()
		away.Agent(t)
		w.rotated(t, before)
	})
	gap(t, r, unnoticed)
	if r.Lost > proof.Long(r.Sent/20, 0) { // on a machine that others use, a kernel may drop some by itself
		t.Errorf("probes lost: %v", r)
	}
	if now := w.settled(t); now != owner || epoch(t, owner) != epochBefore {
		t.Errorf("%s owns in epoch %d, before: %s in %d", now.Name, epoch(t, owner), owner.Name, epochBefore)
	}
	for _, d := range w.Directors {
		lab.Eventually(t, 10*time.Second, d.Name+" warns of nothing", func() error {
			if r := command(t, d, "status", "--check"); r.code != 0 {
				return errors.New(r.out + r.err)
			}
			return nil
		})
	}
}
