package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// keyUse is what `quorate key status` says of a key.
type keyUse struct {
	What, Present string
	UnderWay      bool `json:"under_way"`
	Directors     []struct {
		Name, Uses string
	}
}

func keysOf(t lab.T, d *lab.Director) []keyUse {
	t.Helper()
	var keys []keyUse
	decode(t, command(t, d, "key", "status", "-o", "json").want(t, 0).out, &keys)
	return keys
}

// rotated is nil once a director says that both keys are others than before, and every director uses them alone.
func (w *testnet) rotated(t lab.T, d *lab.Director, before []keyUse) error {
	for i, k := range keysOf(t, d) {
		if k.UnderWay || k.Present == before[i].Present || len(k.Directors) != len(w.Directors) {
			return fmt.Errorf("%+v, was %+v", k, before[i])
		}
		for _, use := range k.Directors {
			if use.Uses != k.Present {
				return fmt.Errorf("%+v", k)
			}
		}
	}
	return nil
}

func TestTheClustersKeysAreRotatedWithADirectorDownAndNobodyNotices(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	owner := w.settled(t)
	at, away := w.others(owner)[0], w.others(owner)[1]
	before, epochBefore := keysOf(t, at), epoch(t, owner)
	away.Die()
	r := w.watch(t, func() {
		for d, what := range map[*lab.Director]string{at: "gossip", owner: "ca"} {
			if r := command(t, d, "key", "rotate", what).want(t, 0); !strings.Contains(r.err, "no answer comes from "+away.Name) {
				t.Errorf("rotate %s says %s", what, r.err)
			}
		}
		away.Revive()
		away.Agent(t)
		for _, d := range w.Directors {
			lab.Eventually(t, 20*time.Second, d.Name+" says that it is over", func() error { return w.rotated(t, d, before) })
		}
	})
	gap(t, r, unnoticed)
	fewLost(t, r)
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
