package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// spreadFile is groups that spread, and one that follows the leader.
func spreadFile(spread int) string {
	var b strings.Builder
	router := func(name string, n int, policy string) {
		fmt.Fprintf(&b, `router %q {
  vrid      = %d
  interface = "wan"
  interval  = %q
  addresses = ["192.168.1.%d/24"]
  placement %q { hold = "1s" }
}
`, name, 60+n, interval, 200+n, policy)
	}
	for i := range spread {
		router(fmt.Sprintf("s%d", i), i, "spread")
	}
	router("front", spread, "leader")
	return b.String()
}

// owned counts the groups of each director, as one of them says, and returns who leads and who owns the one
// that follows.
func (w *testnet) owned(t *testing.T, d *lab.Director) (load map[string]int, leader, front string, err error) {
	t.Helper()
	st, err := d.Status()
	load = map[string]int{}
	for _, g := range st.Groups {
		load[g.Owner]++
	}
	return load, st.Leader, st.Owner("front"), err
}

func TestGroupsSpreadAndFollowTheLeader(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "y", 3)
	w.Cluster(t)
	const spread = 5
	w.apply(t, spreadFile(spread))
	even := func(on ...*lab.Director) {
		t.Helper()
		lab.Eventually(t, 30*time.Second, "the groups are even", func() error {
			load, leader, front, err := w.owned(t, on[0])
			if err != nil || load[""] > 0 {
				return fmt.Errorf("%v, %w", load, err)
			}
			least, most, all := spread, 0, 0
			for _, d := range on {
				least, most, all = min(least, load[d.Name]), max(most, load[d.Name]), all+load[d.Name]
			}
			if most-least > 1 || front != leader || all != spread+1 {
				return fmt.Errorf("%v; %s leads, %s has front", load, leader, front)
			}
			return nil
		})
	}
	even(w.Directors...)
	lab.Consistently(t, 4*time.Second, "nothing moves", func() error {
		load, _, _, err := w.owned(t, w.Directors[0])
		if err != nil || len(load) != 3 || slices.Max([]int{load["y1"], load["y2"], load["y3"]}) > 2 {
			return fmt.Errorf("%v, %w", load, err)
		}
		return nil
	})
	drained := w.others(w.leader(t))[0] // one that drains does not have what follows it
	command(t, drained, "drain", "director", drained.Name).want(t, 0)
	even(w.others(drained)...)
	command(t, drained, "enable", "director", drained.Name).want(t, 0)
	even(w.Directors...)
	leader := w.leader(t)
	leader.Die()
	even(w.others(leader)...)
	leader.Revive()
	leader.Agent(t)
	even(w.Directors...)
}

// A sync group that is made, or dissolved, makes other groups of routers that run on where they are.
func TestRoutersThatAreRegroupedStay(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "rg", 3)
	owner := w.settled(t)
	const inner = `router "inside" {
  vrid      = 52
  interface = "lan"
  interval  = "` + interval + `"
  addresses = ["192.168.2.1/24"]
}
`
	const together = `sync_group "gateway" { routers = ["web", "inside"] }
`
	w.apply(t, routerFile+inner+together)
	for _, tt := range []struct{ group, file string }{{"gateway", ""}, {group, routerFile}} {
		if tt.file != "" {
			w.apply(t, tt.file)
		}
		lab.Eventually(t, 10*time.Second, tt.group+" stays", func() error {
			st, err := w.Directors[0].Status()
			if err != nil {
				return err
			}
			for _, g := range st.Groups {
				if g.Name == tt.group && g.Owner == owner.Name && g.Named == owner.Name {
					if out := command(t, owner, "explain", "group", tt.group).out; !strings.Contains(out, "regrouped, stays with "+owner.Name) {
						t.Errorf("%s: %s", tt.group, out)
					}
					if out := command(t, owner, "events").out; !regexp.MustCompile(owner.Name + " owns " + tt.group + ` in epoch \d+: regrouped, stays with `).MatchString(out) {
						t.Errorf("%s: %s", tt.group, out)
					}
					return nil
				}
			}
			return fmt.Errorf("%+v", st.Groups)
		})
	}
}
