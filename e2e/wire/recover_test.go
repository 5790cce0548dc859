package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// known is what a director says of its cluster.
type known struct {
	Cluster, Leader   string
	Quorum            bool
	Epoch             uint64 `json:"cluster_epoch"`
	Voters, Answering int
	MayFail           int `json:"may_fail"`
	Revision          uint64
	Index             uint64 `json:"applied_index"`
	Directors         []struct{ Name string }
	Warnings          []string
}

func know(t lab.T, d *lab.Director) known {
	t.Helper()
	var k known
	decode(t, command(t, d, "status", "-o", "json").want(t, 0).out, &k)
	return k
}

// leftOf has two of three directors lose power, and returns the third once it owns and knows that there is
// no quorum.
func (w *testnet) leftOf(t lab.T) (survivor *lab.Director, dead []*lab.Director) {
	t.Helper()
	survivor, dead = w.Directors[2], w.Directors[:2]
	for _, d := range dead {
		d.Die()
	}
	lab.Eventually(t, 20*time.Second, survivor.Name+" owns and has no quorum", func() error {
		k := know(t, survivor)
		if owners := w.Owners(vip); k.Quorum || k.Answering != 1 || len(owners) != 1 || owners[0] != survivor.Host {
			return fmt.Errorf("quorum %v, %d answer, owners %v", k.Quorum, k.Answering, owners)
		}
		return nil
	})
	return survivor, dead
}

// restored gives power back to directors.
func restored(t lab.T, ds []*lab.Director) {
	t.Helper()
	for _, d := range ds {
		d.Revive()
	}
	for _, d := range ds {
		d.StartAgent(t)
	}
}

// refuses says in what a director that was left behind goes on all the same.
func refuses(t lab.T, d, survivor *lab.Director) error {
	t.Helper()
	out, err := d.Quorate("status")
	if err != nil {
		return err
	}
	for _, want := range []string{"was recovered on " + survivor.Name, "`quorate leave`", "`quorate join " + survivor.Bind, "`quorate token create`"} {
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s does not say %q:\n%s", d.Name, want, out)
		}
	}
	if k := know(t, d); k.Quorum || k.Leader != "" {
		return fmt.Errorf("%s has a quorum, leader %q", d.Name, k.Leader)
	}
	for _, p := range d.Addresses("") {
		if p.Addr().String() == vip {
			return fmt.Errorf("%s has %s", d.Name, p)
		}
	}
	return nil
}

// TestTheLostComeBackAndTheAddressIsServedAllTheWhile is the proof of recover: two of three lose power, the
// third goes on alone, power returns, and the two are no cluster though they are a majority of the old one.
func TestTheLostComeBackAndTheAddressIsServedAllTheWhile(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "r", 3)
	w.settled(t)
	w.unchanged(t, func() {
		command(t, w.Directors[2], "recover").refused(t, "not lost", "of 3 members 3 answer", "leads", "2 are enough", "quorate remove")
		command(t, w.Directors[2], "recover", "--force", "--yes").refused(t, "of 3 members 3 answer")
	})
	survivor, dead := w.leftOf(t)
	before := know(t, survivor)
	if before.MayFail != 0 || before.Voters != 3 || before.Answering != 1 {
		t.Errorf("alone: %+v", before)
	}
	command(t, survivor, "recover").refused(t, "not recovered", "no terminal", "--yes")
	for _, args := range [][]string{{"move", group, survivor.Name}, {"token", "create"}} {
		command(t, survivor, args...).refused(t, "no leader: 1 of 3 voters answer", dead[0].Name+", "+dead[1].Name+" do not answer", "nothing was changed", "quorate recover")
	}
	if out := command(t, survivor, "explain", "group", group).want(t, 0).out; !strings.Contains(out, "! no quorum") || !strings.Contains(out, survivor.Name+" owns web") || strings.Contains(out, "https://") {
		t.Errorf("explained without a quorum:\n%s", out)
	}
	eventsOf(t, survivor, dead[0].Name+" does not answer", dead[1].Name+" does not answer", "no quorum: nothing can be changed")
	r := w.watch(t, func() {
		said := command(t, survivor, "recover", "--yes").want(t, 0).err
		for _, want := range []string{"as of log entry", "is lost", dead[0].Name, dead[1].Name, "does not answer", "is ready"} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in %q", want, said)
			}
		}
		after := know(t, survivor)
		if !after.Quorum || after.Leader != survivor.Name || after.Epoch != 2 || after.Cluster != before.Cluster || after.Revision != before.Revision || after.Voters != 1 {
			t.Errorf("after: %+v, before: %+v", after, before)
		}
		members(t, survivor, survivor)
		if said := command(t, survivor, "recover").want(t, 0).err; !strings.Contains(said, "nothing to do") {
			t.Errorf("again: %q", said)
		}
		eventsOf(t, survivor, "cluster recovered on "+survivor.Name)
		restored(t, dead)
		for _, d := range dead {
			lab.Eventually(t, 30*time.Second, d.Name+" refuses", func() error { return refuses(t, d, survivor) })
		}
		w.stays(t, survivor, 3*time.Second)
		for _, d := range dead {
			if err := refuses(t, d, survivor); err != nil {
				t.Error(err)
			}
			command(t, d, "token", "create").refused(t, "was recovered on "+survivor.Name)
			command(t, d, "recover", "--force").refused(t, "was recovered on "+survivor.Name)
		}
	})
	gap(t, r, unnoticed)
	command(t, survivor, "apply", survivor.WriteFile("cluster.hcl", strings.ReplaceAll(routerFile, interval, "300ms")), "--yes").want(t, 0)
	r = w.watch(t, func() {
		for _, d := range dead {
			command(t, d, "leave").want(t, 0)
			w.gone(t, d)
			token := strings.TrimSpace(command(t, survivor, "token", "create").want(t, 0).out)
			command(t, d, "join", survivor.Bind, "--token", token).want(t, 0)
		}
		w.settled(t)
	})
	gap(t, r, unnoticed)
	for _, d := range w.Directors {
		members(t, d, w.Directors...)
		if k := know(t, d); k.Epoch != 2 || k.MayFail != 1 || k.Voters != 3 || k.Revision != before.Revision+1 {
			t.Errorf("%s: %+v", d.Name, k)
		}
	}
}

// eventsOf waits until a director tells of some events, and holds that it tells of all in their order in time, and of
// each transition once.
func eventsOf(t lab.T, d *lab.Director, want ...string) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, d.Name+" tells of "+strings.Join(want, ", "), func() error {
		out, err := d.Quorate("events")
		if err != nil {
			return err
		}
		told, last := map[string]bool{}, ""
		for line := range strings.Lines(out) {
			const stamp = len("2006-01-02 15:04:05.000")
			if told[line] && strings.Contains(line, "  vrrp ") || line[:stamp] < last {
				t.Fatalf("again, or after what came later: %s of\n%s", line, out)
			}
			told[line], last = true, line[:stamp]
		}
		for _, what := range want {
			if !strings.Contains(out, what) {
				return fmt.Errorf("nothing of %q in\n%s", what, out)
			}
		}
		return nil
	})
}

// TestWithoutTheFenceThereAreTwoClusters is the control: the same, and who was left behind goes on.
func TestWithoutTheFenceThereAreTwoClusters(t *testing.T) {
	t.Parallel()
	w := mutated(t, "q", mutant.NoFence)
	w.apply(t, routerFile)
	w.settled(t)
	survivor, dead := w.leftOf(t)
	command(t, survivor, "recover", "--yes").want(t, 0)
	restored(t, dead)
	lab.Eventually(t, 30*time.Second, "there are two clusters", func() error {
		new := know(t, survivor)
		for _, d := range dead {
			out, err := d.Quorate("status", "-o", "json")
			if err != nil {
				return err
			}
			var old known
			decode(t, out, &old)
			if !old.Quorum || old.Epoch != 1 || !new.Quorum || new.Epoch != 2 || old.Cluster != new.Cluster {
				return fmt.Errorf("%s: %+v, %s: %+v", d.Name, old, survivor.Name, new)
			}
		}
		return nil
	})
	for _, d := range dead {
		if err := refuses(t, d, survivor); err == nil {
			t.Errorf("%s refuses: the proof proves nothing", d.Name)
		}
	}
}

// TestARecoveryThatIsCutOffIsRunAgain kills control while the others are asked, and then, later each time,
// while the data is made anew, until that was done; the address is served all the while by the keeper.
func TestARecoveryThatIsCutOffIsRunAgain(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "s", 3)
	w.settled(t)
	survivor, _ := w.leftOf(t)
	cut := func(when func()) {
		control := survivor.Control()
		done := make(chan result, 1)
		go func() { done <- command(t, survivor, "recover", "--yes") }()
		when()
		control.Kill()
		r := <-done
		survivor.Agent(t)
		t.Logf("exit %d, then epoch %d: %s", r.code, know(t, survivor).Epoch, strings.TrimSpace(r.err))
	}
	r := w.watch(t, func() {
		cut(func() { time.Sleep(100 * time.Millisecond) })
		if k := know(t, survivor); k.Epoch != 1 || len(k.Directors) != 3 {
			t.Errorf("cut off before it began: %+v", k)
		}
		for after := time.Duration(0); know(t, survivor).Epoch == 1; after = 2*after + 5*time.Millisecond {
			if after > time.Second {
				t.Fatal("it was never done")
			}
			cut(func() {
				begun(t, survivor)
				time.Sleep(after)
			})
		}
		command(t, survivor, "recover", "--yes").want(t, 0)
	})
	gap(t, r, unnoticed)
	w.settled(t)
	if k := know(t, survivor); k.Epoch != 2 || !k.Quorum || len(k.Directors) != 1 {
		t.Errorf("%+v", k)
	}
}

// begun waits until a recovery has kept what it begins with, and takes that away, for the next one.
func begun(t lab.T, d *lab.Director) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if kept, _ := filepath.Glob(filepath.Join(d.DataDir(), "before-recovery-*.state")); len(kept) > 0 {
			_ = os.Remove(kept[0])
			return
		}
	}
	t.Fatalf("it does not begin")
}

// TestWhoServedOnTheOtherSideGivesUpWhenItIsTold recovers beside two that run and are only out of reach:
// what nobody should do. They own, and let go when the path is open again.
func TestWhoServedOnTheOtherSideGivesUpWhenItIsTold(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "u", 3)
	w.settled(t)
	survivor, others := w.Directors[2], w.Directors[:2]
	undo := w.Partition([]*lab.Host{survivor.Host}, w.hosts(survivor), lab.AllTraffic())
	defer undo()
	lab.Eventually(t, 20*time.Second, survivor.Name+" has no quorum", func() error {
		if k := know(t, survivor); k.Quorum {
			return errors.New("it has")
		}
		return nil
	})
	command(t, survivor, "recover", "--yes").want(t, 0)
	if k := know(t, others[0]); !k.Quorum {
		t.Errorf("the others have no quorum: %+v", k)
	}
	undo()
	for _, d := range others {
		lab.Eventually(t, 30*time.Second, d.Name+" refuses", func() error { return refuses(t, d, survivor) })
	}
	lab.Eventually(t, moves, survivor.Name+" owns", func() error {
		if owners := w.Owners(vip); len(owners) != 1 || owners[0] != survivor.Host {
			return fmt.Errorf("%v", owners)
		}
		return nil
	})
	w.stays(t, survivor, 3*time.Second)
}

// TestForceLeavesALivingMinorityBehind loses two of four: the two that are left are no quorum.
func TestForceLeavesALivingMinorityBehind(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "v", 4)
	w.settled(t)
	survivor, alive := w.Directors[3], w.Directors[2]
	for _, d := range w.Directors[:2] {
		d.Die()
	}
	lab.Eventually(t, 20*time.Second, "there is no quorum", func() error {
		if k := know(t, survivor); k.Quorum || k.Answering != 2 {
			return fmt.Errorf("%+v", k)
		}
		return nil
	})
	w.agreed(t)
	w.unchanged(t, func() {
		command(t, survivor, "recover").refused(t, "of 4 members 2 answer", alive.Name, "3 must reach each other", "--force")
	})
	command(t, survivor, "recover", "--force", "--yes").want(t, 0)
	lab.Eventually(t, 30*time.Second, alive.Name+" refuses", func() error { return refuses(t, alive, survivor) })
	lab.Eventually(t, moves, survivor.Name+" owns", func() error {
		if owners := w.Owners(vip); len(owners) != 1 || owners[0] != survivor.Host {
			return fmt.Errorf("%v", owners)
		}
		return nil
	})
	command(t, alive, "leave").want(t, 0)
	w.Join(t, alive)
	members(t, survivor, alive, survivor)
}

func TestASnapshotIsSavedInspectedAndRestored(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	w.settled(t)
	w.quiet(t)
	file := filepath.Join(t.TempDir(), "state")
	for _, d := range w.Directors {
		st, err := d.Status()
		if err != nil {
			t.Fatal(err)
		}
		r := command(t, d, "snapshot", "save", file).want(t, 0).has(t, st.StateHash)
		if !strings.Contains(r.err, "CA key") {
			t.Errorf("save does not say what it holds: %q", r.err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		command(t, d, "snapshot", "inspect", file).want(t, 0).has(t, st.StateHash, "1 router", "member", "group", "web, owned by", "not shown")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := w.Directors[1]
	command(t, d, "snapshot", "restore", file).want(t, 0).has(t, "nothing to restore")
	w.broken(t, text)
	was := know(t, d)
	command(t, d, "apply", d.WriteFile("empty.hcl", ""), "--yes", "--allow-empty").want(t, 0)
	lab.Eventually(t, 10*time.Second, "nobody has the address", func() error {
		if owners := w.Owners(vip); len(owners) > 0 {
			return fmt.Errorf("%v", owners)
		}
		return nil
	})
	command(t, d, "snapshot", "restore", file, "--yes").want(t, 0).has(t, "+ router web", fmt.Sprintf("restored: revision %d", was.Revision+2))
	w.settled(t)
	for _, d := range w.Directors {
		if k := know(t, d); k.Revision != was.Revision+2 || len(k.Directors) != 3 {
			t.Errorf("%s: %+v", d.Name, k)
		}
		var st struct {
			Groups []struct{ Epoch uint64 }
		}
		decode(t, command(t, d, "status", "-o", "json").want(t, 0).out, &st)
		if len(st.Groups) != 1 || st.Groups[0].Epoch <= was.Index {
			t.Errorf("%s: the group came back in %+v, and the log was at %d before", d.Name, st.Groups, was.Index)
		}
	}
	w.elsewhere(t, file)
}

// broken holds that a file that is not whole restores nothing.
func (w *testnet) broken(t *testing.T, text []byte) {
	t.Helper()
	flipped := append([]byte{}, text...)
	flipped[len(flipped)/2] ^= 4
	d := w.Directors[0]
	w.unchanged(t, func() {
		for name, content := range map[string][]byte{"truncated": text[:len(text)/2], "flipped": flipped, "empty": nil} {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			command(t, d, "snapshot", "restore", path, "--yes", "--force").refused(t, path)
			command(t, d, "snapshot", "inspect", path).refused(t, path)
		}
	})
}

// elsewhere holds that a saved state is refused by another cluster, unless forced.
func (w *testnet) elsewhere(t *testing.T, file string) {
	t.Helper()
	other := cluster(t, 1)
	d := other.Directors[0]
	other.unchanged(t, func() {
		command(t, d, "snapshot", "restore", file, "--yes").refused(t, "it is of cluster", "this is cluster", "--force")
	})
	before := know(t, d)
	command(t, d, "snapshot", "restore", file, "--yes", "--force").want(t, 0)
	other.settled(t)
	if after := know(t, d); after.Cluster != before.Cluster || len(after.Directors) != 1 {
		t.Errorf("after: %+v, before: %+v", after, before)
	}
}
