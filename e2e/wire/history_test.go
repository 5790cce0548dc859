package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// past is a revision as `history -o json` has it.
type past struct {
	Revision                                   uint64
	Time                                       time.Time
	Author, Message, Cause, Summary, Confirmed string
	Until                                      time.Time
}

func pastOf(t lab.T, d *lab.Director) (all []past) {
	t.Helper()
	decode(t, command(t, d, "history", "-o", "json").want(t, 0).out, &all)
	return all
}

// at waits until a director is at a revision.
func at(t lab.T, d *lab.Director, revision uint64) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, fmt.Sprintf("%s is at revision %d", d.Name, revision), func() error {
		st, err := d.Status()
		if err == nil && st.Revision != revision {
			err = fmt.Errorf("it is at %d", st.Revision)
		}
		return err
	})
}

func TestTheCommandsOfTheHistory(t *testing.T) {
	t.Parallel()
	w := cluster(t, 3)
	d1, d2, d3 := w.Directors[0], w.Directors[1], w.Directors[2]
	keyed := strings.TrimSuffix(routerFile, "}\n") + "  auth \"hmac\" {\n    key = \"" + strings.Repeat("0a", 32) + "\"\n  }\n}\n"
	command(t, d1, "apply", d1.WriteFile("cluster.hcl", keyed), "--yes", "-m", "the first").want(t, 0)
	owner := w.settled(t)

	t.Run("an edit is a revision, made on whichever director", func(t *testing.T) {
		command(t, d2, "set", "router", "web", "interval=300ms", "--plan").want(t, 2).has(t, `interval : "200ms" -> "300ms"`)
		command(t, d2, "set", "router", "web", "interval=300ms", "-m", "calmer").want(t, 0).has(t, "applied: revision 2")
		command(t, d2, "set", "router", "web", "interval=300ms").want(t, 0).has(t, "nothing to change: revision 2")
		command(t, d2, "set", "router", "web", "vrid=300").refused(t, "vrid", "1 to 255")
		for _, d := range w.Directors {
			at(t, d, 2)
			all := pastOf(t, d)
			if len(all) != 2 || all[0].Author != "root@"+d2.Name || all[0].Message != "calmer" || all[1].Author != "root@"+d1.Name ||
				all[0].Summary != `change router web (interval "200ms" -> "300ms")` || time.Since(all[0].Time) > time.Minute {
				t.Errorf("%s: %+v", d.Name, all)
			}
		}
		command(t, d3, "events").want(t, 0).has(t, "revision 2 by root@"+d2.Name+": change router web (interval")
	})
	t.Run("edits at once are all made", func(t *testing.T) {
		for _, r := range together(t, w.Directors, func(d *lab.Director) []string {
			return []string{"add", "router", "r" + d.Name[1:], "vrid=6" + d.Name[1:], "interface=lan", `addresses=["192.168.2.9` + d.Name[1:] + `/24"]`}
		}) {
			r.want(t, 0)
		}
		at(t, d1, 5)
		for range 3 {
			command(t, d1, "rollback", "2", "--yes").want(t, 0) // twice there is nothing to do
		}
		at(t, d1, 6)
	})
	t.Run("what was removed comes back with its key", func(t *testing.T) {
		command(t, d2, "remove", "router", "web").want(t, 0)
		lab.Eventually(t, 10*time.Second, "nobody owns it", func() error {
			if n := len(w.Owners(vip)); n > 0 {
				return fmt.Errorf("%d do", n)
			}
			return nil
		})
		at(t, d3, 7)
		command(t, d3, "diff", "6", "7").want(t, 2).has(t, "- router web")
		command(t, d3, "diff", "2", "6").want(t, 0)
		command(t, d3, "show", "--revision", "7").want(t, 0)
		shown := command(t, d3, "show", "--revision", "2").want(t, 0).has(t, `interval  = "300ms"`, `auth "hmac"`).out
		if strings.Contains(shown, "0a0a0a") {
			t.Errorf("a key is shown:\n%s", shown)
		}
		command(t, d3, "show", "--revision", "99").refused(t, "there are 0 to 7", "quorate history")
		r := command(t, d3, "rollback", "1")
		r.want(t, 1).has(t, "+ router web")
		r.out = ""
		r.refused(t, "--yes")
		command(t, d3, "rollback", "1", "--yes").want(t, 0).has(t, "rolled back to revision 1: revision 8")
		owner = w.settled(t)
		before := w.disbelieved(t)
		time.Sleep(time.Second)
		if after := w.disbelieved(t); after != before {
			t.Errorf("%d adverts were not believed since", after-before)
		}
		if all := pastOf(t, d1); all[0].Cause != "rollback to revision 1" || all[0].Author != "root@"+d3.Name {
			t.Errorf("%+v", all[0])
		}
	})
	t.Run("an edit moves nothing", func(t *testing.T) {
		command(t, d1, "add", "router", "aside", "vrid=77", "interface=lan", `addresses=["192.168.2.77/24"]`).want(t, 0)
		w.stays(t, owner, time.Second)
	})
	t.Run("what the keeper of a director that is stopped does not follow is warned of", func(t *testing.T) {
		stop(t, d3)
		lab.Eventually(t, 10*time.Second, "d1 knows", func() error { // its last report may be on its way still
			st, err := d1.Status()
			if i := slices.IndexFunc(st.Directors, func(d lab.DirectorStatus) bool { return d.Name == d3.Name }); err == nil && (i < 0 || st.Directors[i].State == "alive") {
				err = fmt.Errorf("%+v", st.Directors)
			}
			return err
		})
		warned := func(r result, what string) {
			t.Helper()
			if r.argv[len(r.argv)-1] != "json" {
				r.out = r.err
			}
			r.has(t, what+", and "+d3.Name+" ", "systemctl stop quorate-keeper")
		}
		warned(command(t, d1, "set", "router", "aside", "vrid=78", "--plan").want(t, 2), "changes its vrid")
		warned(command(t, d1, "set", "router", "aside", "vrid=78", "--plan", "-o", "json").want(t, 2), "changes its vrid")
		warned(command(t, d1, "set", "router", "aside", "vrid=78", "-o", "json").want(t, 0), "changes its vrid")
		warned(command(t, d1, "remove", "router", "aside").want(t, 0), `warning: router "aside" is removed`)
		warned(command(t, d1, "apply", d1.WriteFile("cluster.hcl", strings.ReplaceAll(keyed, "0a", "0b")), "--yes").want(t, 0), "changes its auth")
		warned(command(t, d1, "rollback", "1", "--yes").want(t, 0), "changes its auth")
		if r := command(t, d1, "set", "router", "web", "refresh=30s").want(t, 0); strings.Contains(r.out+r.err, "its keeper") {
			t.Errorf("a change that is heard alike is warned of: %s", r.err)
		}
	})
}

// tried is what is applied on trial.
const tried = routerFile + `
router "tried" {
  vrid      = 99
  interface = "lan"
  interval  = "` + interval + `"
  addresses = ["192.168.2.99/24"]
}
`

// takenBack waits until revision 2 was taken back on every director that runs.
func (w *testnet) takenBack(within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		var errs []error
		for _, d := range w.Directors {
			if st, err := d.Status(); err != nil || st.Revision != 3 || len(st.Groups) != 1 {
				errs = append(errs, fmt.Errorf("%s is at revision %d, %d groups, %w", d.Name, st.Revision, len(st.Groups), err))
			}
		}
		if len(errs) == 0 || time.Now().After(deadline) {
			return errors.Join(errs...)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestAChangeThatNobodyConfirmsTakesItselfBackWhoeverLeads(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "hc", 3)
	owner := w.settled(t)
	leader := w.leader(t)
	other := w.others(leader)[0]
	command(t, other, "apply", other.WriteFile("tried.hcl", tried), "--yes", "--confirm", "6s", "-m", "try").want(t, 0).has(t, "it is taken back at", "`quorate confirm`")
	applied := time.Now()
	t.Run("others wait", func(t *testing.T) {
		command(t, other, "set", "router", "web", "interval=1s").refused(t, "waits to be confirmed", "root@"+other.Name, "quorate confirm", "quorate rollback 1")
		r := command(t, other, "apply", other.WriteFile("cluster.hcl", routerFile), "--yes")
		r.out = ""
		r.refused(t, "is taken back at", "quorate rollback 1")
		command(t, other, "apply", other.WriteFile("tried.hcl", tried), "--yes").refused(t, "waits to be confirmed", "quorate confirm")
		command(t, other, "plan", other.WriteFile("tried.hcl", tried)).want(t, 0).has(t, "no change", "waits for `quorate confirm`: it is taken back at")
		command(t, other, "status").want(t, 0).has(t, "unless `quorate confirm` comes")
	})
	leader.Control().Kill() // another leads, which knows of it by the log alone
	leader.StartAgent(t)
	if err := w.takenBack(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(applied); d < 6*time.Second {
		t.Errorf("it was taken back after %v already", d)
	}
	if all := pastOf(t, other); all[0].Cause != "takes back revision 2: it was not confirmed in time" || all[0].Summary != "remove router tried" {
		t.Errorf("%+v", all[0])
	}
	command(t, other, "confirm").refused(t, "no change waits to be confirmed", "quorate history")
	w.stays(t, owner, time.Second)

	t.Run("confirmed it stays", func(t *testing.T) {
		command(t, leader, "apply", leader.WriteFile("tried.hcl", tried), "--yes", "--confirm", "2s").want(t, 0)
		command(t, other, "confirm").want(t, 0).has(t, "confirmed: revision 4 stays")
		time.Sleep(3 * time.Second)
		at(t, leader, 4)
		if all := pastOf(t, leader); all[0].Confirmed != "root@"+other.Name || !all[0].Until.IsZero() {
			t.Errorf("%+v", all[0])
		}
	})
}

// The control: where the leader does not take it back, it stays, and the proof above would have failed.
func TestWithoutALeadersDutyAChangeThatNobodyConfirmsStays(t *testing.T) {
	t.Parallel()
	w := mutated(t, "hd", mutant.NoRevert)
	d := w.Directors[0]
	w.apply(t, routerFile)
	command(t, d, "apply", d.WriteFile("tried.hcl", tried), "--yes", "--confirm", "1s").want(t, 0)
	if err := w.takenBack(4 * time.Second); err == nil {
		t.Fatal("it was taken back: the proof proves nothing")
	}
}
