package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
	"github.com/quorate/quorate/fsm"
)

// The feature levels of the older and of the newer version.
const (
	newerLevel = fsm.Newest
	olderLevel = newerLevel - 1
)

// lacks is why what the newer level brings is refused before it.
var lacks = fmt.Sprintf("feature level %d, and this needs %d", olderLevel, newerLevel)

// servers is how many real servers the file has.
const servers = 6

// file is a configuration with a weight that tells it from others. It has something of all that the older version knows, so
// that a field that a version drops is missed. Its checks are rare: a guest has one slow processor.
func file(weight int) string {
	return strings.NewReplacer(
		`interval = "1s"`, `interval = "3s"`, `timeout  = "500ms"`, `timeout  = "2900ms"`,
		`"192.168.2.11:80" { weight = 1 }`, fmt.Sprintf(`"192.168.2.11:80" { weight = %d }`, weight),
		`sync_group "gateway" { routers = ["outside", "inside"] }`, `sync_group "gateway" {
  routers = ["outside", "inside"]
  on_segment_cut = "one"
  prefer "load" { score = 5 }
}
track "file" "load" {
  path    = "/run/quorate-has-no-such-file"
  missing = 5
}`,
	).Replace(lab.ArticleFile) + `
service "echo" {
  address          = "192.168.1.1:7"
  scheduler        = "wrr"
  forward          = "nat"
  persistence      = "1m"
  persistence_mask = 24
  agreement        = "any"
  check "tcp" {
    interval = "3s"
    timeout  = "2900ms"
    fall     = 3
  }
  server "192.168.2.11:7" { weight = 2 }
  server "192.168.2.12:7" { inhibit = true }
  server "192.168.2.13:7" {}
}
`
}

// upgrade is a cluster that is on its way from one version to the next.
type upgrade struct {
	t            lab.T
	a            *lab.Article
	older, newer string // programs
	weight       int    // in the configuration as it is
}

// prove upgrades a cluster of three, one director after another, by hand and by `quorate upgrade next`. The leader goes
// back to the older version half-way, when one of the newer version leads: that writes what the older one reads then.
func prove(t lab.T, older, newer, mutant string) {
	u := &upgrade{t: t, a: lab.NewArticle(t, 3), older: older, newer: newer}
	for _, d := range u.a.Directors {
		d.Binary = older
		d.AgentHCL = "raise_level_after = \"never\"\n"
		d.Env = []string{"QUORATE_MUTANTS=" + d.WriteFile("mutant", mutant)}
	}
	u.a.Cluster(t)
	u.change(u.a.Directors[1])
	u.whole("at the older version", olderLevel)
	seen := watch(t, u.a)
	client := u.a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 20, Timeout: 10 * time.Second, Limit: time.Hour})
	t.Cleanup(client.Stop)

	leader, first, second := u.parts()
	u.replace(first, newer)
	old := fmt.Sprintf("%s (version 1.0) supports %d", leader.Name, olderLevel)
	u.refused(first, lacks, "key", "rotate", "gossip")
	u.refused(first, old, "upgrade", "finish")
	u.replace(second, newer)
	u.replace(leader, newer)
	u.refused(leader, lacks, "key", "rotate", "gossip")
	u.replace(leader, older)
	u.refused(first, old, "upgrade", "finish")
	u.next(first, leader)

	u.finish(second)
	r := client.Close()
	t.Logf("requests: %v", r)
	if len(r.Failures) > 0 || r.OK == 0 {
		t.Errorf("requests lost: %v", r)
	}
	seen.check(t, 10)
	u.noWayBack(first)
}

// parts are the leader and the two others.
func (u *upgrade) parts() (leader, first, second *lab.Director) {
	u.t.Helper()
	var st lab.Status
	u.eventually("there is a leader", func() (err error) {
		if st, err = u.a.Directors[0].Status(); err == nil && st.Leader == "" {
			err = errors.New("nobody leads")
		}
		return err
	})
	var others []*lab.Director
	for _, d := range u.a.Directors {
		if d.Name == st.Leader {
			leader = d
		} else {
			others = append(others, d)
		}
	}
	return leader, others[0], others[1]
}

// other is a director beside one.
func (u *upgrade) other(not *lab.Director) *lab.Director {
	if u.a.Directors[0] != not {
		return u.a.Directors[0]
	}
	return u.a.Directors[1]
}

// replace has a director run another program, by the commands that the documentation names, and changes the
// configuration there while it is out and when it is in again.
func (u *upgrade) replace(d *lab.Director, program string) {
	u.t.Helper()
	o := u.other(d)
	u.eventually("no director is out", func() error {
		_, err := u.run(o, u.newer, "upgrade", "status", "--check")
		return err
	})
	u.must(o, "drain", "director", d.Name)
	u.restart(d, program)
	u.change(o)
	u.whole("with "+d.Name+" out", olderLevel)
	u.must(o, "enable", "director", d.Name)
	u.change(d)
	u.whole("with "+d.Name+" in", olderLevel)
}

// restart stops a director's agent, keeper and all, and starts another program in its place.
func (u *upgrade) restart(d *lab.Director, program string) {
	u.t.Helper()
	control := d.Control()
	if err := control.Signal(syscall.SIGTERM); err != nil {
		u.t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := control.Wait(ctx); errors.Is(err, context.DeadlineExceeded) {
		u.t.Fatalf("the agent of %s does not stop", d.Name)
	}
	d.Binary = program
	d.Agent(u.t)
}

// next upgrades who is left by `quorate upgrade next`, with a hand that starts what it asks for.
func (u *upgrade) next(from, left *lab.Director) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := from.Run(ctx, u.newer, "upgrade", "next")
		done <- err
	}()
	u.eventually(left.Name+" is out", func() error {
		st, err := from.Status()
		if err != nil {
			return err
		}
		for _, d := range st.Directors {
			if d.Name == left.Name && !d.Draining {
				return errors.New("it is not")
			}
		}
		if st.Owner("gateway") == left.Name {
			return errors.New("it owns")
		}
		return nil
	})
	u.restart(left, u.newer)
	if err := <-done; err != nil {
		u.t.Fatalf("upgrade next: %v", err)
	}
	u.change(left)
	u.whole("after `upgrade next`", olderLevel)
}

// finish raises the level, uses what begins with it, and holds that all have it.
func (u *upgrade) finish(d *lab.Director) {
	u.t.Helper()
	out := u.must(d, "upgrade", "finish")
	if !strings.Contains(out, fmt.Sprint("at feature level ", newerLevel)) {
		u.t.Errorf("upgrade finish: %s", out)
	}
	u.change(d)
	before := u.must(d, "key", "status")
	u.must(d, "key", "rotate", "gossip")
	u.whole("at the newer level", newerLevel)
	after := u.must(d, "key", "status")
	if after == before || strings.Contains(after, "still taken") {
		u.t.Errorf("the gossip key was not rotated: before %s, after %s", before, after)
	}
	for _, d := range u.a.Directors {
		if out := u.must(d, "key", "status"); out != after {
			u.t.Errorf("keys as %s sees them: %s, want %s", d.Name, out, after)
		}
	}
}

// noWayBack starts the older version in a cluster of the newer level.
func (u *upgrade) noWayBack(d *lab.Director) {
	u.t.Helper()
	control := d.Control()
	if err := control.Signal(syscall.SIGTERM); err != nil {
		u.t.Fatalf("%v", err)
	}
	u.eventually("the agent has stopped", func() error {
		if control.Alive() {
			return errors.New("it runs")
		}
		return nil
	})
	d.Binary = u.older
	p := d.StartAgent(u.t)
	u.eventually("the older version refuses to start", func() error {
		if p.Alive() {
			return errors.New("it runs")
		}
		return nil
	})
	log, err := os.ReadFile(d.LogFile("agent"))
	if want := fmt.Sprintf("the cluster is at feature level %d, and this binary supports 1 to %d: install a version that fits", newerLevel, olderLevel); err != nil || !strings.Contains(string(log), want) {
		u.t.Errorf("the older version does not say why it refuses: %v\n%s", err, log)
	}
}

// change makes another configuration the cluster's, on one director. One that is refused for want of a leader is made
// again, as a person would.
func (u *upgrade) change(d *lab.Director) {
	u.t.Helper()
	u.weight++
	path := d.WriteFile("cluster.hcl", file(u.weight))
	u.eventually("a change on "+d.Name, func() error {
		_, err := d.Quorate("apply", path, "--yes")
		return err
	})
}

// whole waits until all directors are ready, have the same state, the same table and the configuration as it was
// applied, every field of it.
func (u *upgrade) whole(when string, level int) {
	u.t.Helper()
	u.eventually("all are ready "+when, u.ready)
	weight := fmt.Sprintf("-r 192.168.2.11:80 -m -w %d", u.weight)
	u.eventually("the tables are equal "+when, func() error {
		if lines := strings.Join(u.a.Directors[0].IPVS(), "\n"); !strings.Contains(lines, weight) {
			return fmt.Errorf("no %q in\n%s", weight, lines)
		}
		return proof.SameTables(u.a, servers)
	})
	for _, d := range u.a.Directors {
		st, err := d.Status()
		if err != nil || st.FeatureLevel != uint64(level) {
			u.t.Errorf("%s: level %d on %s, want %d: %v", when, st.FeatureLevel, d.Name, level, err)
		}
		path := d.WriteFile("cluster.hcl", file(u.weight))
		u.eventually("the configuration of "+d.Name+" is what was applied "+when, func() error {
			out, err := d.Quorate("plan", path)
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			return err
		})
		u.calm(when, d)
	}
}

// ready is nil once every director says of every other that it is alive and ready, with one leader and one state.
func (u *upgrade) ready() error {
	seen := map[string]bool{}
	for _, d := range u.a.Directors {
		st, err := api.NewClient(d.Socket()).Status(context.Background())
		if err != nil {
			return err
		}
		for _, m := range st.Directors {
			if m.State != "alive" || !m.Ready {
				return fmt.Errorf("%s: %s is %s, not ready: %s", d.Name, m.Name, m.State, strings.Join(m.Reasons, "; "))
			}
		}
		seen[st.Leader+" leads, state "+st.StateHash] = true
	}
	if len(seen) != 1 {
		return fmt.Errorf("not one leader and one state: %v", seen)
	}
	return nil
}

// calm waits until a director's status warns of nothing: a busy guest may be late for a moment.
func (u *upgrade) calm(when string, d *lab.Director) {
	u.t.Helper()
	client := api.NewClient(d.Socket())
	lab.Eventually(u.t, 30*time.Second, d.Name+" warns of nothing "+when, func() error {
		st, err := client.Status(context.Background())
		if err == nil && len(st.Warnings) > 0 {
			err = errors.New(strings.Join(st.Warnings, "; "))
		}
		if err != nil {
			time.Sleep(300 * time.Millisecond)
		}
		return err
	})
}

// refused holds that a command is refused with a reason, on a director of the newer version. Where there is no leader for a moment it is
// given again, as must does.
func (u *upgrade) refused(d *lab.Director, why string, args ...string) {
	u.t.Helper()
	out, err := u.run(d, u.newer, args...)
	for end := time.Now().Add(30 * time.Second); err != nil && strings.Contains(err.Error(), "no leader") && time.Now().Before(end); {
		u.t.Logf("again: %v", err)
		time.Sleep(500 * time.Millisecond)
		out, err = u.run(d, u.newer, args...)
	}
	if err == nil || !strings.Contains(err.Error(), why) {
		u.t.Errorf("%s on %s: %v, want %q\n%s", strings.Join(args, " "), d.Name, err, why, out)
		return
	}
	u.t.Logf("refused, as it must be: %v", err)
}

func (u *upgrade) run(d *lab.Director, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return d.Run(ctx, append([]string{program}, args...)...)
}

// must gives a command that is to succeed. One that is refused has changed nothing, and is given again, as a person
// would: on a busy machine a leader may be lost for a moment.
func (u *upgrade) must(d *lab.Director, args ...string) string {
	u.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		out, err := u.run(d, u.newer, args...)
		if err == nil {
			return out
		}
		if time.Now().After(end) {
			st, _ := api.NewClient(d.Socket()).Status(context.Background()) // without an answer there is no more to say
			u.t.Fatalf("%v; %s", err, strings.Join(st.Warnings, "; "))
		}
		u.t.Logf("again: %v", err)
		time.Sleep(500 * time.Millisecond)
	}
}

func (u *upgrade) eventually(what string, f func() error) {
	u.t.Helper()
	lab.Eventually(u.t, 90*time.Second, what, func() error {
		err := f()
		if err != nil {
			time.Sleep(300 * time.Millisecond) // a look costs a guest more than the load
		}
		return err
	})
}
