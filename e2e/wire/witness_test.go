package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// witnessed is two directors, and a witness that is on the cluster's wire alone.
func witnessed(t *testing.T, name string) (w *testnet, witness *lab.Director) {
	t.Helper()
	w = buildAs(t, name, 2)
	drawing.Lock()
	witness = w.Net.Director(name+"w", w.Inner.At("192.168.2.9/24"))
	drawing.Unlock()
	witness.Interfaces, witness.Role = nil, "witness"
	w.Directors = append(w.Directors, witness)
	for _, d := range w.Directors {
		d.Agent(t)
	}
	first, second := w.Directors[0], w.Directors[1]
	command(t, first, "init").want(t, 0)
	join := func(d *lab.Director, role string) result {
		token := strings.TrimSpace(command(t, first, "token", "create", "--role", role).want(t, 0).out)
		return command(t, d, "join", first.Bind, "--token", token)
	}
	join(second, "director").want(t, 0)
	join(witness, "director").refused(t, "director", "witness") // each token is for one role
	join(witness, "witness").want(t, 0)
	w.AwaitReady(t, 20*time.Second)
	w.apply(t, routerFile)
	return w, witness
}

// ownerBeside waits until one director, and not the witness, has the address and all that run agree on that.
func (w *testnet) ownerBeside(t *testing.T, witness *lab.Director) *lab.Director {
	t.Helper()
	owner := w.settled(t)
	if owner == witness {
		t.Fatal("the witness owns")
	}
	return owner
}

func TestTwoDirectorsAndAWitnessLoseAnyOneOfThem(t *testing.T) {
	t.Parallel()
	w, witness := witnessed(t, "w")
	owner := w.ownerBeside(t, witness)
	t.Run("the witness is shown, and is a candidate for nothing", func(t *testing.T) {
		for _, d := range w.Directors {
			st, err := d.Status()
			if err != nil || len(st.Groups) != 1 || !strings.Contains(command(t, d, "members").want(t, 0).out, "witness") {
				t.Fatalf("%s: %+v, %v", d.Name, st, err)
			}
		}
		command(t, owner, "drain", "director", witness.Name).refused(t, witness.Name+" is a witness", "nothing to drain")
		var st struct {
			Groups []struct {
				Order   []string
				Routers []any
			}
		}
		decode(t, command(t, witness, "status", "-o", "json").want(t, 0).out, &st)
		if g := st.Groups[0]; len(g.Routers) > 0 || len(g.Order) != 1 {
			t.Errorf("on the witness: %+v", g)
		}
		command(t, owner, "move", group, witness.Name, "--force").refused(t, witness.Name+" is a witness")
	})
	t.Run("moves work, there and back", func(t *testing.T) {
		for range 2 {
			from := w.ownerBeside(t, witness)
			to := w.others(from)[0]
			r := w.watch(t, func() { command(t, witness, "move", group, to.Name).want(t, 0) })
			gap(t, r, unnoticed)
		}
	})
	for _, who := range []string{"the witness", "the owner", "the standby"} {
		t.Run(who+" dies", func(t *testing.T) {
			from := w.ownerBeside(t, witness)
			dead := map[string]*lab.Director{"the witness": witness, "the owner": from}[who]
			for _, d := range w.Directors {
				if dead == nil && d != from && d != witness {
					dead = d
				}
			}
			r := w.watch(t, func() {
				dead.Die()
				if dead == from {
					w.taken(t, from)
					return
				}
				w.stays(t, from, 3*time.Second)
			})
			gap(t, r, moves)
			w.serves(t, dead)
			dead.Revive()
			dead.Agent(t)
			w.AwaitReady(t, 30*time.Second)
		})
	}
}

// serves waits until those that are left agree on an owner, are a quorum, and can still change something.
func (w *testnet) serves(t *testing.T, dead *lab.Director) {
	t.Helper()
	lab.Eventually(t, 15*time.Second, "those that are left agree", func() error {
		owners := w.Owners(vip)
		if len(owners) != 1 || owners[0] == dead.Host {
			return fmt.Errorf("%d hosts have the address", len(owners))
		}
		for _, d := range w.others(dead) {
			st, err := d.Status()
			switch {
			case err != nil:
				return err
			case !st.Quorum || st.Leader == "" || st.Leader == dead.Name:
				return errors.New("no quorum")
			case st.Owner(group) != owners[0].Name:
				return fmt.Errorf("%s names %q", d.Name, st.Owner(group))
			}
		}
		return nil
	})
	d := w.others(dead)[0]
	command(t, d, "apply", d.WriteFile("cluster.hcl", routerFile), "--yes").want(t, 0)
}
