package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// backWithin is rise x interval + timeout of the slowest check, and slack.
const backWithin = 2*2*time.Second + 1500*time.Millisecond + 3*time.Second

// slack is what a verdict may take from the probe that decides it to every kernel.
const slack = time.Second

// A fault is one way in which a real server fails, and its check can see it.
type fault struct {
	service string // in the cluster file
	server  int    // from 1
	what    string
	inject  func(*lab.RealServer) (undo func())
	cause   string // part of what status says of it
}

// faults are the ways, in rounds that leave every service a server. What the script checks is TCP, whose
// server fails in the same round.
func (w *ward) faults() [][]fault {
	set := func(s lab.Service, m lab.Mode) func(*lab.RealServer) func() {
		return func(rs *lab.RealServer) func() { return rs.Set(s, m) }
	}
	stop := func(s lab.Service) func(*lab.RealServer) func() { return set(s, lab.Mode{Stopped: true}) }
	blackhole := func(s lab.Service) func(*lab.RealServer) func() {
		return func(rs *lab.RealServer) func() { return rs.Blackhole(s) }
	}
	shows := func(c lab.Certificate) func(*lab.RealServer) func() {
		return set(lab.HTTPS, lab.Mode{Certificate: c})
	}
	return [][]fault{{
		{"tcp", 1, "refuses", stop(lab.TCP), "connection refused"},
		{"script", 1, "fails", w.script("fail"), "exit status 1: out of order"},
		{"http", 1, "refuses", stop(lab.HTTP), "connection refused"},
		{"http", 2, "has status 503", set(lab.HTTP, lab.Mode{Status: 503, Body: healthy}), "status 503"},
		{"https", 1, "has an expired certificate", shows(lab.ExpiredCertificate), "certificate expired"},
		{"smtp", 1, "answers 554", set(lab.SMTP, lab.Mode{Refuse: true}), "banner: 554"},
		{"smtp", 2, "refuses", stop(lab.SMTP), "connection refused"},
	}, {
		{"tcp", 1, "is silent", blackhole(lab.TCP), "no answer in 1s"},
		{"script", 1, "hangs", w.script("hang"), "no exit in 1.5s"},
		{"http", 2, "is silent", blackhole(lab.HTTP), "no answer in 1s"},
		{"http", 3, "has the wrong body", set(lab.HTTP, lab.Mode{Body: "under repair"}), "body lacks"},
		{"https", 1, "has another's certificate", shows(lab.OtherNameCertificate), "certificate is not for"},
		{"smtp", 1, "drips", set(lab.SMTP, lab.Mode{Drip: 200 * time.Millisecond}), "no banner in 1s"},
		{"smtp", 3, "is silent", set(lab.SMTP, lab.Mode{Delay: 5 * time.Second}), "no banner in 1s"},
	}, {
		{"http", 3, "drips", set(lab.HTTP, lab.Mode{Body: healthy, Drip: 200 * time.Millisecond}), "no complete response in 1s"},
		{"https", 2, "has a certificate of its own", shows(lab.SelfSigned), "certificate signed by unknown authority"},
	}}
}

// healthy is what a healthy web server says, whatever its name.
const healthy = "all is well"

// A treated is a service and its check. No more is checked than a guest with one slow processor can bear.
type treated struct {
	name              string
	port, server      uint16 // where it is asked, and where its servers are
	servers           int
	interval, timeout time.Duration
	check             string // its kind and keys
}

// treatments are the services by name, a service for each kind of check.
func treatments() map[string]treated {
	all := map[string]treated{}
	for _, s := range []treated{
		{"tcp", 7, 7, 2, 2 * time.Second, time.Second, `"tcp" {`},
		{"script", 9, 7, 2, 2 * time.Second, 1500 * time.Millisecond, `"script" {` + "\n" + `command = ["SCRIPT", "STATE"]`},
		{"http", 80, 80, 3, 2 * time.Second, time.Second, `"http" {` + "\n" + `path = "/health"` + "\n" + `body = "` + healthy + `"`},
		{"https", 443, 443, 2, 2 * time.Second, time.Second, `"https" {` + "\n" + `host = "web.lab"` + "\nca = <<PEM\nCA\nPEM"},
		{"smtp", 25, 25, 3, 2 * time.Second, time.Second, `"smtp" {`},
	} {
		all[s.name] = s
	}
	return all
}

// outWithin is from the failure of a server until it is out of every kernel.
func (s treated) outWithin() time.Duration { return 2*s.interval + s.timeout + slack }

func TestAFailedServerIsOutOfEveryKernelInTime(t *testing.T) {
	run(t, 3, "", "", func(outer lab.T, a *lab.Article) {
		w := admit(outer, a)
		t.Run("whatever its check can see", func(t *testing.T) { w.everyFault(t) })
		t.Run("but a director that is alone with its view does not decide for all", func(t *testing.T) { w.oneView(t) })
	})
}

func TestAFailedServerControl(t *testing.T) {
	run(t, 1, "", mutant.BlindChecks, func(t lab.T, a *lab.Article) {
		w := admit(t, a)
		rounds := w.faults()
		rounds[0] = append(rounds[0], rounds[2]...) // nobody asks for anything here
		for _, faults := range rounds[:2] {
			cases, undo := w.inject(faults)
			w.watch(cases)
			for _, c := range cases {
				if c.missed(a) == nil {
					t.Errorf("%s: out although the checks are blind: the proof proves nothing", c)
				}
			}
			undo()
		}
	})
}

// everyFault has servers fail in every way, while every service is in use.
func (w *ward) everyFault(t lab.T) {
	for _, faults := range w.faults() {
		w.calmly(t, func() complaints { return w.round(t, faults) })
	}
	lab.Eventually(t, 2*time.Second, "scripts that hung were killed whole", func() error {
		if left := running("sleep\x0086399"); len(left) > 0 {
			return fmt.Errorf("running: %v", left)
		}
		return nil
	})
}

// round has servers fail, and heals them.
func (w *ward) round(t lab.T, faults []fault) complaints {
	var wrong complaints
	cases, undo := w.inject(faults)
	w.watch(cases)
	clients := w.clients()
	for _, c := range cases {
		if err := c.missed(w.a); err != nil {
			wrong.addf("%s: %v", c, err)
		}
		t.Logf("%s: out after %v", c, c.out)
	}
	time.Sleep(1500 * time.Millisecond)
	for _, c := range clients {
		if asked, failed := c.close(); asked < 3 || len(failed) > 0 {
			wrong.addf("%s: of %d requests after the server was out failed: %q", c.service, asked, failed)
		}
	}
	for _, d := range w.a.Directors {
		table := strings.Join(d.IPVS(), "\n")
		for _, c := range cases {
			if line := fmt.Sprintf("-a -t 192.168.1.1:%d -r %v ", c.entry.port, c.entry.server); strings.Contains(table, line) {
				wrong.addf("%s: ipvsadm of %s still has %s", c, d.Name, line)
			}
		}
	}
	w.explained(t, w.a.Directors[0], cases, &wrong)
	undo()
	w.back(t, cases, &wrong)
	return wrong
}

// oneView has one real server be unreachable from one director alone, which is not the owner.
func (w *ward) oneView(t lab.T) {
	owner := w.a.AwaitOwner(t, ownedWithin, lab.OuterVIP)
	i := slices.IndexFunc(w.a.Directors, func(d *lab.Director) bool { return d.Host != owner })
	w.calmly(t, func() complaints { return w.alone(t, w.a.Directors[i]) })
}

func (w *ward) alone(t lab.T, alone *lab.Director) complaints {
	var cases []*failing
	for _, service := range []string{"tcp", "http", "https", "smtp"} {
		cases = append(cases, w.failing(fault{service: service, server: 1, what: "cannot be reached from " + alone.Name}))
	}
	undo := w.a.DropFrom(alone.Host, w.a.Servers[0].Host, lab.AllTraffic(), w.a.Inner)
	within := treatments()["tcp"].outWithin()
	for end := time.Now().Add(within + 2*time.Second); time.Now().Before(end); time.Sleep(150 * time.Millisecond) {
		w.look(cases)
	}
	var wrong complaints
	for _, c := range cases {
		t.Logf("%s: out after %v", c, c.out)
		// A second more than for a verdict: no time is promised for what one director sees alone.
		if after, ok := c.out[alone.Name]; !ok || after > within+time.Second {
			wrong.addf("%s: in its own kernel for %v (out: %v)", c, after, ok)
		}
		if delete(c.out, alone.Name); len(c.out) > 0 {
			wrong.addf("%s: out of others: %v", c, c.out)
		}
	}
	for _, d := range w.a.Directors {
		for i, s := range w.status(t, d, cases...) {
			if s.Verdict != "up" || s.Seen[alone.Name] != "down" || s.Asymmetric != (d == alone) {
				wrong.addf("status of %s says: %s: %+v", d.Name, cases[i], s)
			}
		}
	}
	if text := alone.MustQuorate("status"); strings.Count(text, "down from here alone") != len(cases) {
		wrong.addf("status of %s does not say that it is alone:\n%s", alone.Name, text)
	}
	undo()
	w.back(t, cases, &wrong)
	return wrong
}
