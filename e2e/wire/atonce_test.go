package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// together runs one command on each of some directors at the same time.
func together(t lab.T, on []*lab.Director, args func(*lab.Director) []string) map[*lab.Director]result {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	results := map[*lab.Director]result{}
	for _, d := range on {
		argv := args(d)
		all.Go(func() {
			r := command(t, d, argv...)
			mu.Lock()
			defer mu.Unlock()
			results[d] = r
		})
	}
	all.Wait()
	return results
}

func TestManyDoTheSameAtOnce(t *testing.T) {
	t.Parallel()
	w := build(t, 3)
	first, rest := w.Directors[0], w.Directors[1:]
	for _, d := range w.Directors {
		d.Agent(t)
	}
	command(t, first, "init").want(t, 0)
	t.Run("join", func(t *testing.T) {
		tokens := map[*lab.Director]string{}
		for _, d := range rest {
			tokens[d] = strings.TrimSpace(command(t, first, "token", "create").want(t, 0).out)
		}
		for _, r := range together(t, rest, func(d *lab.Director) []string { return []string{"join", first.Bind, "--token", tokens[d]} }) {
			r.want(t, 0)
		}
		w.AwaitReady(t, 20*time.Second)
	})
	t.Run("apply: one wins, the others are told to plan again", func(t *testing.T) {
		won := 0
		for d, r := range together(t, w.Directors, func(d *lab.Director) []string {
			text := strings.ReplaceAll(routerFile, "vrid      = 51", "vrid      = 5"+d.Name[1:])
			return []string{"apply", d.WriteFile("cluster.hcl", text), "--yes"}
		}) {
			if r.code == 0 {
				won++
				continue
			}
			r.out = "" // the plan
			r.refused(t, "revision", " by root@", "router web", "nothing was changed, plan again")
			t.Log(d.Name)
		}
		st, err := first.Status()
		if err != nil || won < 1 || int(st.Revision) != won {
			t.Errorf("%d have won, revision %d, %v", won, st.Revision, err)
		}
		w.settled(t)
	})
	t.Run("drain of all but one: that one owns", func(t *testing.T) {
		for _, d := range rest {
			command(t, first, "drain", "director", d.Name).want(t, 0)
		}
		w.stays(t, first, time.Second)
		for _, d := range rest {
			command(t, first, "enable", "director", d.Name).want(t, 0)
		}
	})
	t.Run("leave", func(t *testing.T) {
		r := w.watch(t, func() {
			for _, r := range together(t, rest, func(*lab.Director) []string { return []string{"leave"} }) {
				if r.code != 0 {
					r.refused(t, "without", "voters")
				}
			}
		})
		gap(t, r, unnoticed)
		lab.Eventually(t, 10*time.Second, "who has left and who has not is agreed", func() error {
			var in []string
			for _, d := range rest {
				if st, err := d.Status(); err != nil || len(st.Directors) > 0 {
					in = append(in, d.Name)
				}
			}
			st, err := first.Status()
			if err != nil {
				return err
			}
			if !st.Quorum || len(st.Directors) != 1+len(in) {
				return fmt.Errorf("quorum %v, members %+v, still in %v", st.Quorum, st.Directors, in)
			}
			return nil
		})
		w.stays(t, w.agreed(t), time.Second)
	})
}

// TestTheOwnerIsRemovedWhileItLives ends the membership of a director that serves: the others take over from
// it, and it gives up the address.
func TestTheOwnerIsRemovedWhileItLives(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	from := w.settled(t)
	by := w.others(from)[0]
	r := w.watch(t, func() {
		command(t, by, "remove", from.Name).refused(t, "is alive", "quorate leave", "--force")
		command(t, by, "remove", from.Name, "--force").want(t, 0)
		lab.Eventually(t, 2*moves, "another has the address alone", func() error {
			owners := w.Owners(vip)
			if len(owners) != 1 || owners[0] == from.Host {
				return fmt.Errorf("%d hosts have it", len(owners))
			}
			return nil
		})
	})
	gap(t, r, unnoticed)
	lab.Eventually(t, 10*time.Second, "the cluster names the new owner", func() error {
		st, err := by.Status()
		if err != nil {
			return err
		}
		if owner := st.Owner(group); owner == from.Name || owner == "" {
			return fmt.Errorf("it names %q", owner)
		}
		if slices.ContainsFunc(st.Directors, func(d lab.DirectorStatus) bool { return d.Name == from.Name }) {
			return errors.New("it is a member")
		}
		return nil
	})
	command(t, from, "status").want(t, 0).has(t, "no longer a member", "quorate leave")
	command(t, from, "leave").want(t, 0)
	w.gone(t, from)
	w.Join(t, from)
	w.AwaitReady(t, 20*time.Second)
}

func TestAnAgentJoinsUnattended(t *testing.T) {
	t.Parallel()
	w := build(t, 2)
	first, d := w.Directors[0], w.Directors[1]
	first.Agent(t)
	command(t, first, "init").want(t, 0)
	file := d.WriteFile("token", "quorate1-nonsense\n")
	d.AgentHCL = fmt.Sprintf("join {\n  address    = %q\n  token_file = %q\n}\n", first.Bind, file)
	d.Agent(t)
	lab.Eventually(t, 10*time.Second, "the log says why it did not join", func() error {
		if text := fileText(t, d.LogFile("agent")); !strings.Contains(text, "not joined yet") || !strings.Contains(text, "cut off or altered") {
			return errText(text)
		}
		return nil
	})
	d.WriteFile("token", command(t, first, "token", "create").want(t, 0).out)
	lab.Eventually(t, 20*time.Second, "it joined", func() error {
		if st, err := d.Status(); err != nil || len(st.Directors) != 2 {
			return fmt.Errorf("%+v, %v", st.Directors, err)
		}
		return nil
	})
	w.AwaitReady(t, 20*time.Second)
}
