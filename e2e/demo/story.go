package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// bounds of the promises that the story shows; figures are printed, not asserted.
const (
	outBound  = 2*time.Second + 500*time.Millisecond + time.Second // interval x fall + timeout + 1 s
	deadBound = 6 * time.Second                                    // 3 intervals of 1 s and skew, and slack
	rate      = 50                                                 // new connections per second
)

// tell plays the whole story.
func tell(s *stage) {
	s.say("three directors, three real servers, a client, two networks; a kernel with IPVS")
	a := lab.NewArticle(s, 3)
	cluster(s, a)
	configure(s, a)
	spread(s, a)
	serverStops(s, a)
	ownerDies(s, a)
	ownerLeaves(s, a)
	summary(s)
}

func cluster(s *stage, a *lab.Article) {
	s.act("Three machines become one cluster")
	for _, d := range a.Directors {
		d.StartAgent(s)
	}
	for _, d := range a.Directors {
		lab.Eventually(s, 30*time.Second, "the agent of "+d.Name+" answers", func() error {
			_, err := d.Quorate("status")
			return err
		})
	}
	first := a.Directors[0]
	run(s, first, "init")
	for _, d := range a.Directors[1:] {
		token := strings.TrimSpace(first.MustQuorate("token", "create"))
		s.shell(first.Name, "quorate token create", token[:24]+"...")
		d.MustQuorate("join", first.Bind, "--token", token)
		s.shell(d.Name, "quorate join "+first.Bind+" --token "+token[:12]+"...", "")
	}
	a.AwaitReady(s, 30*time.Second)
	s.shell(first.Name, "quorate members", first.MustQuorate("members"))
	s.holds(true, "three directors, all ready")
}

func configure(s *stage, a *lab.Article) {
	s.act("One file configures all of them")
	second := a.Directors[1]
	second.MustQuorate("apply", second.WriteFile("cluster.hcl", lab.ArticleFile), "--yes")
	s.shell(second.Name, "quorate apply cluster.hcl --yes", "")
	owner := a.AwaitOwner(s, 15*time.Second, lab.OuterVIP)
	lab.Eventually(s, 15*time.Second, "every kernel has the whole table", func() error { return wholeTables(a, 3) })
	s.shell(owner.Name, "ipvsadm -Sn", strings.Join(owner.IPVS(), "\n"))
	s.holds(true, "%s owns both addresses; ipvsadm shows the same table on every director", owner.Name)
}

// wholeTables is nil once every live director's table is the same and has n real servers.
func wholeTables(a *lab.Article, n int) error {
	var first []string
	for _, d := range a.Directors {
		if !d.On() {
			continue
		}
		lines := d.IPVS()
		if got := strings.Count(strings.Join(lines, "\n"), "-a -t"); got != n {
			return fmt.Errorf("%s has %d real servers, want %d", d.Name, got, n)
		}
		if first == nil {
			first = lines
		}
		if strings.Join(lines, "\n") != strings.Join(first, "\n") {
			return fmt.Errorf("%s has another table", d.Name)
		}
	}
	return nil
}

func spread(s *stage, a *lab.Article) {
	s.act("Requests spread over the real servers")
	client := load(a)
	time.Sleep(3 * time.Second)
	r := client.Close()
	s.holds(len(r.Failures) == 0 && len(r.ByServer) == 3, "%v", r)
	s.note(r, len(r.Failures) == 0, "")
}

func serverStops(s *stage, a *lab.Article) {
	s.act("A real server stops, and returns")
	client, rs := load(a), a.Servers[1]
	start := time.Now()
	back := rs.Stop(lab.HTTP)
	s.say("%s stopped listening", rs.Name)
	lab.Eventually(s, outBound+5*time.Second, rs.Name+" is out everywhere", func() error { return wholeTables(a, 2) })
	out := time.Since(start)
	s.holds(out < outBound, "out of every kernel after %v (promised: %v)", out.Round(time.Millisecond), outBound)
	quiet := time.Now()
	time.Sleep(2 * time.Second)
	back()
	start = time.Now()
	lab.Eventually(s, 15*time.Second, rs.Name+" is back everywhere", func() error { return wholeTables(a, 3) })
	s.holds(true, "back in every kernel %v after it returned", time.Since(start).Round(time.Millisecond))
	time.Sleep(time.Second)
	r := client.Close()
	late := 0
	for _, f := range r.Failures {
		if f.At.After(quiet) {
			late++
		}
	}
	s.holds(late == 0, "no request failed once it was out (%d while it was being noticed)", len(r.Failures)-late)
	s.note(r, late == 0, "all failures before it was out")
}

func ownerDies(s *stage, a *lab.Article) {
	s.act("The owner's machine dies, and returns")
	owner := a.Director(a.AwaitOwner(s, 5*time.Second, lab.OuterVIP))
	client := load(a)
	time.Sleep(time.Second)
	start := time.Now()
	owner.Die()
	s.say("%s: all processes gone, links down", owner.Name)
	next := a.AwaitOwner(s, 15*time.Second, lab.OuterVIP)
	inner := a.AwaitOwner(s, 5*time.Second, lab.InnerVIP)
	took := time.Since(start)
	s.holds(next == inner && took < deadBound, "both addresses are with %s after %v", next.Name, took.Round(time.Millisecond))
	time.Sleep(2 * time.Second)
	owner.Revive()
	owner.Agent(s)
	a.AwaitReady(s, 30*time.Second)
	time.Sleep(2 * time.Second)
	still := a.AwaitOwner(s, 5*time.Second, lab.OuterVIP)
	s.holds(still == next, "%s is back, and took nothing: %s still owns", owner.Name, still.Name)
	r := client.Close()
	s.holds(r.Longest < deadBound, "%v", r)
	s.note(r, took < deadBound && still == next, "")
}

func ownerLeaves(s *stage, a *lab.Article) {
	s.act("The owner leaves by command")
	owner := a.Director(a.AwaitOwner(s, 5*time.Second, lab.OuterVIP))
	client := load(a)
	time.Sleep(time.Second)
	start := time.Now()
	out, err := owner.Quorate("leave")
	s.shell(owner.Name, "quorate leave", out)
	took := time.Since(start)
	if err != nil {
		s.Fatalf("leave: %v", err)
	}
	next := a.AwaitOwner(s, 5*time.Second, lab.OuterVIP)
	s.holds(next.Name != owner.Name, "%s owns now; leave took %v", next.Name, took.Round(time.Millisecond))
	time.Sleep(2 * time.Second)
	r := client.Close()
	s.holds(len(r.Failures) == 0, "%v", r)
	s.note(r, len(r.Failures) == 0 && next.Name != owner.Name, "")
	left := a.Director(next)
	s.shell(left.Name, "quorate members", left.MustQuorate("members"))
}

// run runs a command on a director and shows it.
func run(s *stage, d *lab.Director, args ...string) {
	s.shell(d.Name, "quorate "+strings.Join(args, " "), d.MustQuorate(args...))
}

// load begins the client's requests: new connections, no retries.
func load(a *lab.Article) *lab.HTTPClient {
	return a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: rate, Timeout: 3 * time.Second})
}

// note keeps a scene's figures for the summary.
func (s *stage) note(r lab.RequestReport, holds bool, note string) {
	s.figures = append(s.figures, figure{s.scene, r.Sent, len(r.Failures), r.Longest, holds, note})
}

// summary prints what the client measured, scene by scene.
func summary(s *stage) {
	fmt.Fprintf(s.out, "\n=== What the client measured  [%.1f s]\n\n", time.Since(s.begin).Seconds())
	w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "    SCENE\tREQUESTS\tFAILED\tLONGEST GAP\tHOLDS\t")
	for _, f := range s.figures {
		holds := "yes"
		if !f.holds {
			holds = "NO"
		}
		fmt.Fprintf(w, "    %s\t%d\t%d\t%d ms\t%s\t%s\n", f.scene, f.sent, f.lost, f.gap.Milliseconds(), holds, f.note)
	}
	_ = w.Flush() // to a terminal or a pipe: nobody is there to be told
}
