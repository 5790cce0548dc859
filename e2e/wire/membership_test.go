package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// gone holds that nothing of quorate is left on a director that is in no cluster.
func (w *testnet) gone(t lab.T, d *lab.Director) {
	t.Helper()
	for _, p := range d.Addresses("") {
		if p.Addr().String() == vip {
			t.Errorf("%s has %s", d.Name, p)
		}
	}
	entries, err := os.ReadDir(d.DataDir())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "cluster") {
			t.Errorf("%s has %s in its data directory", d.Name, e.Name())
		}
	}
	record, err := os.ReadFile(filepath.Join(d.DataDir(), "keeper.json"))
	if err == nil && strings.Contains(string(record), `"`+group+`"`) {
		t.Errorf("the keeper of %s remembers: %s", d.Name, record)
	}
	command(t, d, "status").want(t, 0).has(t, d.Name, "in no cluster", "quorate join")
	var st struct {
		Cluster   string
		Directors []any
	}
	decode(t, command(t, d, "status", "-o", "json").want(t, 0).out, &st)
	if st.Cluster != "" || len(st.Directors) > 0 {
		t.Errorf("%s: %+v", d.Name, st)
	}
	for _, port := range []string{":7400", ":7401"} {
		if out := d.MustRun("ss", "-Hlntu"); strings.Contains(out, d.Bind+port+" ") {
			t.Errorf("%s listens on %s", d.Name, port)
		}
	}
	if again := command(t, d, "leave").want(t, 0); again.err != "this agent is in no cluster: nothing to leave\n" {
		t.Errorf("%s left again: %s", d.Name, again.err)
	}
}

// members holds that a director knows exactly these members.
func members(t lab.T, d *lab.Director, want ...*lab.Director) {
	t.Helper()
	st, err := d.Status()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var have, names []string
	for _, m := range st.Directors {
		have = append(have, m.Name)
	}
	for _, m := range want {
		names = append(names, m.Name)
	}
	if fmt.Sprint(have) != fmt.Sprint(names) {
		t.Errorf("%s knows the members %v, want %v", d.Name, have, names)
	}
}

func TestLeaveAndJoinAgainInEachRole(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	for _, tt := range []struct {
		name string
		who  func(leader, owner *lab.Director) *lab.Director
	}{
		{"the leader", func(leader, _ *lab.Director) *lab.Director { return leader }},
		{"the owner", func(_, owner *lab.Director) *lab.Director { return owner }},
		{"a follower that owns nothing", func(leader, owner *lab.Director) *lab.Director {
			for _, d := range w.Directors {
				if d != leader && d != owner {
					return d
				}
			}
			return nil
		}},
	} {
		owner := w.settled(t)
		d := tt.who(w.leader(t), owner)
		ok := t.Run(tt.name, func(t *testing.T) {
			r := w.watch(t, func() {
				out := command(t, d, "leave").want(t, 0)
				if !strings.Contains(out.err, "membership ended") {
					t.Errorf("leave says %q", out.err)
				}
				members(t, w.others(d)[0], w.others(d)...)
			})
			gap(t, r, unnoticed)
			w.gone(t, d)
			next := w.agreed(t)
			if next == d || d != owner && next != owner {
				t.Errorf("%s left, %s owned, now %s does", d.Name, owner.Name, next.Name)
			}
			w.Join(t, d)
			w.AwaitReady(t, 30*time.Second)
			w.stays(t, next, time.Second)
			members(t, d, w.Directors...)
		})
		if !ok {
			return
		}
	}
}

func TestTheLastMembersOfACluster(t *testing.T) {
	t.Parallel()
	w := owned(t, 2)
	owner := w.settled(t)
	other := w.others(owner)[0]
	r := w.watch(t, func() { command(t, owner, "leave").want(t, 0) })
	gap(t, r, unnoticed)
	w.gone(t, owner)
	members(t, other, other)
	if got := w.agreed(t); got != other {
		t.Errorf("%s owns", got.Name)
	}
	w.unchanged(t, func() { command(t, other, "leave").refused(t, "only member", "--force") })
	command(t, other, "leave", "--force").want(t, 0)
	w.gone(t, other)
	command(t, other, "init").want(t, 0)
	command(t, other, "status").want(t, 0).has(t, "leader "+other.Name, "revision 0")
	w.Join(t, owner)
	w.AwaitReady(t, 30*time.Second)
	w.apply(t, routerFile)
	w.settled(t)
}

// Who leaves waits a moment for somebody who can take over, and says who cannot and why.
func TestALeaveThatNobodyCanTakeOver(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	owner := w.settled(t)
	others := w.others(owner)
	for _, d := range others {
		command(t, owner, "drain", "director", d.Name).want(t, 0)
	}
	w.quiet(t)
	w.unchanged(t, func() {
		command(t, owner, "leave").refused(t, "nobody else could take over web",
			others[0].Name+" is drained", others[1].Name+" is drained", "--force")
	})
	done := make(chan result)
	go func() { done <- command(t, owner, "leave") }()
	time.Sleep(500 * time.Millisecond) // it waits by now
	command(t, others[1], "enable", "director", others[1].Name).want(t, 0)
	if out := (<-done).want(t, 0); !strings.Contains(out.err, "waiting: nobody can take over web") {
		t.Errorf("leave says %q", out.err)
	}
	if got := w.agreed(t); got != others[1] {
		t.Errorf("%s owns", got.Name)
	}
}

func TestMembersThatAreGone(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "m", 3)
	owner := w.settled(t)
	victims := w.others(owner)
	dead, last := victims[0], victims[1]
	dead.Die()
	lab.Eventually(t, 10*time.Second, "the death is known", func() error {
		out := command(t, owner, "members").want(t, 0).out
		if !strings.Contains(out, "unreachable") {
			return errors.New(out)
		}
		return nil
	})
	w.quiet(t)
	t.Run("leave refuses what would lose the quorum, with the numbers", func(t *testing.T) {
		w.unchanged(t, func() {
			command(t, last, "leave").refused(t, "without "+last.Name, "2 voters", "needs 2", "only 1 answer", "--force")
			command(t, owner, "remove", last.Name).refused(t, "without "+last.Name, "2 voters", "needs 2", "only 1 answer", "--force")
		})
		w.stays(t, owner, 500*time.Millisecond)
	})
	t.Run("a dead member is removed", func(t *testing.T) {
		command(t, last, "remove", dead.Name).want(t, 0)
		members(t, owner, owner2(owner, last)...)
		for _, d := range []*lab.Director{owner, last} { // whoever is asked again
			if again := command(t, d, "remove", dead.Name).want(t, 0); again.err != "member "+dead.Name+" was removed, or has left, already: nothing to do\n" {
				t.Errorf("removed again by %s: %q", d.Name, again.err)
			}
		}
		command(t, owner, "remove", "nobody").refused(t, "member nobody: not found", "quorate members")
		w.stays(t, owner, 500*time.Millisecond)
	})
	t.Run("and is told so when it comes back", func(t *testing.T) {
		dead.Revive()
		dead.Agent(t)
		lab.Eventually(t, 20*time.Second, "it says that it is no member any more", func() error {
			r := command(t, dead, "status").want(t, 0)
			if !strings.Contains(r.out, "no longer a member") {
				return errors.New(r.out)
			}
			return nil
		})
		w.stays(t, owner, 2*time.Second)
		token := strings.TrimSpace(command(t, owner, "token", "create").want(t, 0).out)
		r := command(t, dead, "join", owner.Bind, "--token", token)
		r.refused(t, "no longer a member", "quorate leave")
		if strings.Contains(r.err, "already") {
			t.Errorf("who was removed hears that it is a member: %q", r.err)
		}
		command(t, dead, "leave").want(t, 0)
		w.gone(t, dead)
		w.Join(t, dead)
		w.AwaitReady(t, 30*time.Second)
		w.stays(t, owner, time.Second)
	})
	t.Run("without a quorum nothing is changed, and all say so", func(t *testing.T) {
		for _, d := range victims {
			d.Die()
		}
		lab.Eventually(t, 10*time.Second, "the quorum is lost", func() error {
			r := command(t, owner, "status").want(t, 0)
			if !strings.Contains(r.out, "NO QUORUM") || !strings.Contains(r.out, "leader -") {
				return errors.New(r.out)
			}
			return nil
		})
		var all sync.WaitGroup
		for _, args := range [][]string{
			{"apply", owner.WriteFile("empty.hcl", ""), "--yes", "--allow-empty"}, {"token", "create"}, {"drain", "director", owner.Name}, {"remove", dead.Name}, {"leave"},
		} {
			all.Go(func() { // each waits a while for a leader
				r := command(t, owner, args...)
				r.out = "" // a plan
				word := "nothing was changed"
				if args[0] == "leave" {
					word = "only 0 answer"
				}
				r.refused(t, word)
			})
		}
		all.Wait()
		w.stays(t, owner, time.Second)
	})
}

// TestWhoInterruptsACommandLosesNothing presses Ctrl-C at several times of a join and a leave. A leave goes
// on; a join goes on where it stopped when it is asked again.
func TestWhoInterruptsACommandLosesNothing(t *testing.T) {
	t.Parallel()
	w := cluster(t, 3)
	d := w.Directors[2]
	interrupted := func(after string, args ...string) {
		r := program(t, d.Host, append([]string{"timeout", "--signal=INT", after, binary(t)}, args...)...)
		t.Logf("after %s s: exit %d: %s", after, r.code, strings.TrimSpace(r.err))
	}
	for _, after := range []string{"0.03", "0.06", "0.2"} {
		interrupted(after, "leave")
		command(t, d, "leave").want(t, 0) // again
		w.gone(t, d)
		members(t, w.Directors[0], w.Directors[:2]...)
		token := strings.TrimSpace(command(t, w.Directors[0], "token", "create").want(t, 0).out)
		interrupted(after, "join", w.Directors[0].Bind, "--token", token)
		if r := command(t, d, "join", w.Directors[0].Bind, "--token", token); r.code != 0 { // again
			r.refused(t, "cluster", "quorate status", "quorate leave")
		}
		w.AwaitReady(t, 20*time.Second)
		members(t, w.Directors[0], w.Directors...)
	}
}

// owner2 are two directors in the order of their names.
func owner2(a, b *lab.Director) []*lab.Director {
	if a.Name < b.Name {
		return []*lab.Director{a, b}
	}
	return []*lab.Director{b, a}
}

// TestAMemberThatHasLostItsDataIsRemovedAtOnce empties a director: its agent runs in no cluster and leaves none, so that the others
// have to end its membership, and have no reason to think it alive.
func TestAMemberThatHasLostItsDataIsRemovedAtOnce(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "ml", 3)
	lost := w.others(w.settled(t))[0]
	other := w.others(lost)[0]
	empty := func() {
		lost.Control().Kill()
		lost.Keeper().Kill()
		if err := os.RemoveAll(filepath.Join(lost.DataDir(), "cluster")); err != nil {
			t.Fatal(err)
		}
		lost.Agent(t)
	}
	empty()
	lab.Eventually(t, 20*time.Second, "another says why it is silent", func() error {
		out := command(t, other, "status").out
		if !strings.Contains(out, "nothing listens there") || !strings.Contains(out, "is in no cluster") {
			return errors.New(out)
		}
		return nil
	})
	command(t, other, "remove", lost.Name).want(t, 0)
	token := strings.TrimSpace(command(t, other, "token", "create").want(t, 0).out)
	command(t, lost, "join", other.Bind, "--token", token).want(t, 0)
	w.settled(t)
	empty()
	command(t, other, "remove", lost.Name).want(t, 0) // at once, though it reported a moment ago
}
