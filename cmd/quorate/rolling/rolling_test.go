package rolling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
)

// cluster is three directors that run version 1, as an agent tells it. What happens when one is started anew is done
// by started.
type cluster struct {
	t       *testing.T
	st      api.Status
	mute    int // so many times it does not answer
	did     []string
	started func(*api.DirectorStatus)
	drained func()               // happens with the first drain
	later   map[time.Time]func() // what happens by then, seen by who asks
}

// in has something happen after a while.
func (c *cluster) in(d time.Duration, do func()) {
	if c.later == nil {
		c.later = map[time.Time]func(){}
	}
	c.later[time.Now().Add(d)] = do
}

func three(t *testing.T) *cluster {
	d := func(name string) api.DirectorStatus {
		return api.DirectorStatus{Name: name, Role: "director", State: "alive", Ready: true, Version: "1", AppliedIndex: 7, StateHash: "aa"}
	}
	return &cluster{t: t, st: api.Status{
		Name: "d1", Cluster: "c", Leader: "d3", Quorum: true, AppliedIndex: 7, StateHash: "aa",
		Directors: []api.DirectorStatus{d("d1"), d("d2"), d("d3")}, Groups: []api.GroupStatus{{Name: "web", Owner: "d1"}},
		Services: services("up"),
		Warnings: []string{"s2 was down before"},
	}}
}

func services(first string) []api.ServiceStatus {
	return []api.ServiceStatus{{Name: "web", Servers: []api.ServerStatus{{Address: "s1", Verdict: first}, {Address: "s2", Verdict: "down"}}}}
}

func (c *cluster) Status(context.Context) (api.Status, error) {
	if c.mute > 0 {
		c.mute--
		return api.Status{}, errors.New("the agent is not running")
	}
	for at, do := range c.later {
		if !time.Now().Before(at) {
			do()
			delete(c.later, at)
		}
	}
	st := c.st
	st.Directors = slices.Clone(st.Directors)
	return st, nil
}

func (c *cluster) director(name string) *api.DirectorStatus {
	i := slices.IndexFunc(c.st.Directors, func(d api.DirectorStatus) bool { return d.Name == name })
	return &c.st.Directors[i]
}

func (c *cluster) Drain(_ context.Context, r api.DrainRequest, _ api.Progress) error {
	c.did = append(c.did, fmt.Sprintf("%s draining %v", r.Director, r.Draining))
	c.director(r.Director).Draining = r.Draining
	out := 0
	for _, d := range c.st.Directors {
		if d.Draining {
			out++
		}
	}
	if out > 1 {
		c.t.Errorf("%d directors are out at once: %v", out, c.did)
	}
	if c.drained != nil {
		c.drained()
	}
	if g := &c.st.Groups[0]; r.Draining && g.Owner == r.Director {
		g.Owner = "d2"
		if r.Director == "d2" {
			g.Owner = "d1"
		}
	}
	return nil
}

// upgrade is one whose directors are started by the test.
func (c *cluster) upgrade() *Upgrade {
	return &Upgrade{Agent: c, Version: "2", Say: func(step string) { c.did = append(c.did, step) }, Restart: func(_ context.Context, d api.DirectorStatus) error {
		if owner := c.st.Groups[0].Owner; owner == d.Name {
			c.t.Errorf("%s is started anew, and owns web", d.Name)
		}
		now := c.director(d.Name)
		now.Version = "2"
		if c.started != nil {
			c.started(now)
		}
		return nil
	}}
}

func TestWhoDoesNotAnswerIsNotSaidToRunTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := three(t)
		for i := range c.st.Directors {
			c.st.Directors[i].Version = "2"
		}
		c.director("d2").State = "unreachable"
		err := c.upgrade().Run(t.Context())
		if want := "stopped: what d2 runs is not known, as it does not answer; all others run version 2"; err == nil || err.Error() != want || len(c.did) > 0 {
			t.Errorf("%v %q, want %s", err, c.did, want)
		}
	})
}

func TestOneDirectorAfterAnotherIsTakenOutAndLetInAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := three(t)
		c.director("d3").StateHash = "" // below feature level 3, as nobody has computed it at this index yet
		c.started = func(d *api.DirectorStatus) {
			d.Ready, c.mute = false, 3
			c.st.Warnings = append(slices.Clone(c.st.Warnings), d.Name+" is not ready: the keeper does not answer")
			c.in(20*time.Second, func() { d.Ready, c.st.Warnings = true, c.st.Warnings[:1] })
		}
		if err := c.upgrade().Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, step := range c.did {
			if strings.Contains(step, "draining") || strings.HasPrefix(step, "every") {
				order = append(order, step)
			}
		}
		want := []string{ // d2 owns nothing and does not lead, d3 leads, d1 owns
			"d2 draining true", "d2 draining false", "d3 draining true", "d3 draining false", "d1 draining true", "d1 draining false", "every member runs version 2",
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestItStopsWhereTheClusterIsNotAsItWas(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  func(c *cluster)
		started func(c *cluster, d *api.DirectorStatus)
		want    string // of the error
		drains  string // who does at the end
	}{
		{"one does not answer", func(c *cluster) { c.director("d1").State = "unreachable" }, nil, "stopped before d2: d1 is unreachable", ""},
		{"one is not ready", func(c *cluster) {
			c.director("d3").Ready, c.director("d3").Reasons = false, []string{"its keeper is gone"}
		}, nil, "stopped before d2: d3 is not ready: its keeper is gone", ""},
		{"one has another state", func(c *cluster) { c.director("d3").StateHash = "bb" }, nil, "stopped before d2: d3 has another state at the same log index", ""},
		{"one is out", func(c *cluster) { c.director("d3").Draining = true }, nil, "stopped: d3 drains; `quorate enable director d3` lets it in, and with --continue", "d3"},
		{"another is drained meanwhile", nil, func(c *cluster, _ *api.DirectorStatus) { c.director("d1").Draining = true }, "after 2m0s d1 drains", "d1 d2"},
		{"nobody owns", func(c *cluster) { c.st.Groups[0].Owner = "" }, nil, "stopped before d1: no member owns web", ""},
		{"a stranger owns", func(c *cluster) { c.st.Groups[0].Owner = "foreign 192.0.2.7" }, nil, "no member owns web", ""},
		{"a group moves", func(c *cluster) { c.st.Groups[0].Moving = "d3" }, nil, "web moves to d3", ""},
		{"no quorum", func(c *cluster) { c.st.Quorum = false }, nil, "this director is in no quorum", ""},
		{"no other", func(c *cluster) { c.st.Directors = c.st.Directors[:1] }, nil, "there is no other director", ""},
		{"it does not become ready", nil, func(_ *cluster, d *api.DirectorStatus) { d.Ready = false }, "after 2m0s d2 is not ready; d2 goes on draining until `quorate enable director d2`", "d2"},
		{"a server went down", nil, func(c *cluster, _ *api.DirectorStatus) { c.st.Services = services("down") }, "s1 of web is down, was up", "d2"},
		{"a warning came", nil, func(c *cluster, _ *api.DirectorStatus) { c.st.Warnings = append(c.st.Warnings, "d2: kernel") }, "d2: kernel", "d2"},
		{"another dies while it is drained", func(c *cluster) { c.drained = func() { c.director("d1").State = "unreachable" } }, nil, "stopped before d2 is started anew: after 2m0s d1 is unreachable; d2 goes on draining", "d2"},
		{"another is drained by somebody else at the same time", func(c *cluster) {
			c.drained = func() { c.director("d3").Draining = true }
		}, nil, "stopped before d2 is started anew: somebody else has drained d3 at the same time; another upgrade may be under way; d2 is let in again", "d3"},
		{"a witness is next, and another is drained by somebody else", func(c *cluster) {
			c.director("d2").Role = "witness"
			c.in(0, func() { c.director("d3").Draining = true })
		}, nil, "stopped: d3 drains", "d3"},
		{"somebody else lets it in while it is started", nil, func(_ *cluster, d *api.DirectorStatus) { d.Version, d.Draining = "1", false }, "stopped: d2 does not run version 2: d2 was let in again by somebody else", ""},
		{"somebody else lets it in before all is as it was", nil, func(_ *cluster, d *api.DirectorStatus) { d.Ready, d.Draining = false, false }, "stopped: d2 was let in again by somebody else", ""},
		{"who is asked has just started and knows of no drain", nil, func(c *cluster, d *api.DirectorStatus) {
			d.Draining, d.Ready, c.st.Quorum = false, false, false
			c.in(time.Second, func() { d.Draining, c.st.Quorum = true, true })
		}, "after 2m0s d2 is not ready; d2 goes on draining", "d2"},
		{"it does not start", nil, func(_ *cluster, d *api.DirectorStatus) { d.Version, d.State = "1", "unreachable" }, "d2 is unreachable, version 1 when it answered last (if it does not start, `journalctl -u quorate` there says why); d2 goes on draining", "d2"},
		{"what starts it does nothing", nil, func(_ *cluster, d *api.DirectorStatus) { d.Version = "1" }, "stopped: d2 does not run version 2: after 2m0s d2 is alive, version 1; d2 goes on draining", "d2"},
		{"another died meanwhile", nil, func(c *cluster, _ *api.DirectorStatus) { c.director("d1").State = "unreachable" }, "d1 is unreachable", "d2"},
		{"it was removed meanwhile", nil, func(c *cluster, _ *api.DirectorStatus) { c.st.Directors = slices.Delete(c.st.Directors, 1, 2) }, "d2 is no member any more", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := three(t)
				if tt.before != nil {
					tt.before(c)
				}
				if tt.started != nil {
					c.started = func(d *api.DirectorStatus) { tt.started(c, d) }
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := c.upgrade().Run(ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %s; did %q", err, tt.want, c.did)
				}
				var drains []string
				for _, d := range c.st.Directors {
					if d.Draining {
						drains = append(drains, d.Name)
					}
				}
				if got := strings.Join(drains, " "); got != tt.drains {
					t.Errorf("%q drain at the end, want %q", got, tt.drains)
				}
			})
		})
	}
}

func TestItGoesOnWithWhoIsOut(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		synctest.Test(t, func(t *testing.T) {
			c := three(t)
			*c.director("d1") = api.DirectorStatus{Name: "d1", Role: "director", State: "alive", Ready: true, Version: version, Draining: true}
			c.st.Groups[0].Owner = "d3"
			u := c.upgrade()
			u.Continue = true
			if err := u.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			first := map[string]string{"1": "d1 draining true", "2": "d1 draining false"}[version]
			if c.did[0] != first {
				t.Errorf("version %s: first %q, want %q", version, c.did[0], first)
			}
		})
	}
}

// TestItGoesOnWithWhoIsOutAndDoesNotStart has a director whose new version was broken: another one is started there.
func TestItGoesOnWithWhoIsOutAndDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := three(t)
		*c.director("d1") = api.DirectorStatus{Name: "d1", Role: "director", State: "unreachable", Version: "1", Draining: true}
		c.st.Groups[0].Owner = "d3"
		c.started = func(d *api.DirectorStatus) { d.State, d.Ready = "alive", true }
		u := c.upgrade()
		u.Continue = true
		if err := u.Run(t.Context()); err != nil || !slices.Contains(c.did, "starting d1 with version 2") {
			t.Errorf("%v; did %q", err, c.did)
		}
		c = three(t)
		c.director("d1").Draining, c.director("d1").State, c.director("d2").State = true, "unreachable", "unreachable"
		u = c.upgrade()
		u.Continue = true
		if err := u.Run(t.Context()); err == nil || err.Error() != "stopped before d1: d2 is unreachable" {
			t.Errorf("%v; did %q", err, c.did)
		}
	})
}

func TestAWitnessIsStartedAnewAndNotDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := three(t)
		c.director("d2").Role = "witness"
		c.st.Groups[0].Owner = "d3"
		if err := c.upgrade().Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(c.did, func(step string) bool { return strings.HasPrefix(step, "d2 draining") }) || !slices.Contains(c.did, "d2 runs version 2 and is ready") {
			t.Errorf("did %q", c.did)
		}
	})
}

func TestWithoutAnAnswerOrARestartItSaysSo(t *testing.T) {
	c := three(t)
	c.mute = 1
	if err := c.upgrade().Run(t.Context()); err == nil || err.Error() != "the agent is not running" {
		t.Errorf("%v", err)
	}
	u := c.upgrade()
	u.Restart = func(context.Context, api.DirectorStatus) error { return errors.New("no such host") }
	if err := u.Run(t.Context()); err == nil || err.Error() != "stopped: d2 does not run version 2: no such host; d2 goes on draining until `quorate enable director d2`, or `quorate upgrade next --continue`, which goes on with it" {
		t.Errorf("%v", err)
	}
}

// TestAPersonIsToldWhatToDo has nobody start the director until long after.
func TestAPersonIsToldWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := three(t)
		u := c.upgrade()
		u.Restart = nil
		for i, name := range []string{"d2", "d3", "d1"} {
			c.in(time.Duration(i+1)*time.Hour, func() { c.director(name).Version = "2" })
		}
		if err := u.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := "now install version 2 on d2, and there: systemctl restart quorate quorate-keeper"; !slices.Contains(c.did, want) {
			t.Errorf("said %q", c.did)
		}
	})
}

// TestWhoIsOutIsKnownAfterAnInterrupt has a person stop an upgrade at each of its steps.
func TestWhoIsOutIsKnownAfterAnInterrupt(t *testing.T) {
	for at := range 40 {
		synctest.Test(t, func(t *testing.T) {
			c := three(t)
			c.director("d2").Role = "witness"
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			u := c.upgrade()
			u.Agent = interrupting{c, &at, cancel}
			err := u.Run(ctx)
			drains := ""
			for _, d := range c.st.Directors {
				if d.Draining {
					drains = d.Name
				}
			}
			if u.Out() != drains {
				t.Errorf("%v: %q is said to be out, and %q is; did %q", err, u.Out(), drains, c.did)
			}
		})
	}
}

// interrupting is an agent whose answer to some question comes as the person has gone: what it was asked for is done.
type interrupting struct {
	*cluster
	left   *int // questions
	cancel func()
}

func (i interrupting) Status(ctx context.Context) (api.Status, error) {
	if *i.left--; *i.left == 0 {
		i.cancel()
		return api.Status{}, ctx.Err()
	}
	return i.cluster.Status(ctx)
}
