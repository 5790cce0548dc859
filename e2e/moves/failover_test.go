package moves

import (
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// Bounds of promises, with slack: on a real kernel no test asserts less than a second.
const (
	diesWithin = 6 * time.Second // three intervals of a second and skew, and slack
)

var (
	machineDies = proof.Step{Name: "its machine dies and both addresses move together", Proof: ownersMachineDies}
	linkDown    = proof.Step{Name: "one of its links goes down and both addresses move together", Proof: oneLinkDown}
	drain       = proof.Step{Name: "it is drained without a lost request", Proof: drainLosesNothing}
	leave       = proof.Step{Name: "it leaves without a lost request", Proof: leaveLosesNothing}

	// drainYoung is drain with younger connections, which are lost as well where any are.
	drainYoung = proof.Step{Name: drain.Name, Proof: func(t lab.T, a *lab.Article) { losesNothing(t, a, 2*time.Second, drained) }}
)

func ownersMachineDies(t lab.T, a *lab.Article) {
	owner := a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP)
	a.AwaitReady(t, 30*time.Second)
	probe := a.Client.Probe(lab.Probe{To: lab.OuterVIP, Interval: 5 * time.Millisecond})
	time.Sleep(time.Second)
	owner.Die()
	next := movedTogether(t, a, owner, diesWithin)
	time.Sleep(time.Second)
	r := probe.Close()
	t.Logf("machine death: %v", r)
	if r.Longest > diesWithin {
		t.Errorf("the address was gone for %v", r.Longest)
	}
	repliesFlowBack(t, a, next)
}

func oneLinkDown(t lab.T, a *lab.Article) {
	for _, s := range []*lab.Segment{a.Outer, a.Inner} {
		owner := a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP)
		a.AwaitReady(t, 30*time.Second)
		probe := a.Client.Probe(lab.Probe{To: lab.OuterVIP, Interval: 5 * time.Millisecond})
		back := a.Unplug(owner, s)
		defer back()
		next := movedTogether(t, a, owner, diesWithin)
		time.Sleep(500 * time.Millisecond)
		r := probe.Close()
		t.Logf("%s link of the owner down: %v", s.Name, r)
		if r.Longest > diesWithin {
			t.Errorf("the address was gone for %v", r.Longest)
		}
		repliesFlowBack(t, a, next)
		back()
	}
}

// movedTogether waits until one other host has both addresses, and holds that it stays so.
func movedTogether(t lab.T, a *lab.Article, from *lab.Host, within time.Duration) *lab.Host {
	t.Helper()
	var next *lab.Host
	lab.Eventually(t, within, "both addresses are with one other director", func() error {
		outer, inner := a.Owners(lab.OuterVIP), a.Owners(lab.InnerVIP)
		if len(outer) != 1 || len(inner) != 1 || outer[0] != inner[0] || outer[0] == from {
			return errOwners(outer, inner)
		}
		next = outer[0]
		return nil
	})
	return next
}

// repliesFlowBack holds that requests work, which they do only if the real servers' default gateway,
// the inner address, is on the director that the requests come through.
func repliesFlowBack(t lab.T, a *lab.Article, owner *lab.Host) {
	t.Helper()
	client := a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 20})
	time.Sleep(time.Second)
	r := client.Close()
	if len(r.Failures) > 0 || r.OK == 0 {
		t.Errorf("requests through %s: %v", owner.Name, r)
	}
}

// servers is how many real servers echoFile has.
const servers = 6

// echoFile is the article's set-up with a TCP echo service beside the web. Its checks are rare: a guest
// has one slow processor, and it is to carry the load.
var echoFile = strings.Replace(lab.ArticleFile, `interval = "1s"`, `interval = "3s"`, 1) + `
service "echo" {
  address   = "192.168.1.1:7"
  scheduler = "rr"
  forward   = "nat"
  check "tcp" {
    interval = "3s"
    timeout  = "500ms"
  }
  server "192.168.2.11:7" {}
  server "192.168.2.12:7" {}
  server "192.168.2.13:7" {}
}
`

const old = 10 * time.Second // connections

func drainLosesNothing(t lab.T, a *lab.Article) { losesNothing(t, a, old, drained) }

func leaveLosesNothing(t lab.T, a *lab.Article) { losesNothing(t, a, old, left) }

func drained(owner *lab.Director) (string, error) {
	return owner.Quorate("drain", "director", owner.Name)
}

func left(owner *lab.Director) (string, error) { return owner.Quorate("leave") }

// losesNothing has the owner moved away from by command, under 50 new connections a second and with 20
// connections of an age.
func losesNothing(t lab.T, a *lab.Article, age time.Duration, away func(*lab.Director) (string, error)) {
	owner := a.Director(a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP))
	a.AwaitReady(t, 30*time.Second)
	lab.Eventually(t, 15*time.Second, "all servers are up", func() error { return proof.SameTables(a, servers) })
	conns := a.Client.Connections(lab.Connections{To: lab.OuterVIP + ":7", Count: 20, Interval: 100 * time.Millisecond})
	time.Sleep(age)
	client := a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 50, Timeout: 5 * time.Second})
	time.Sleep(2 * time.Second)
	start := time.Now()
	out, err := away(owner)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("took %v: %s", time.Since(start).Round(time.Millisecond), strings.TrimSpace(out))
	next := a.AwaitOwner(t, 5*time.Second, lab.OuterVIP)
	if next == owner.Host {
		t.Errorf("%s still owns", owner.Name)
	}
	time.Sleep(3 * time.Second)
	requests, lived := client.Close(), conns.Close()
	t.Logf("requests: %v", requests)
	t.Logf("connections: %v", lived)
	if len(requests.Failures) > 0 {
		t.Errorf("requests lost: %v", requests)
	}
	if len(lived.Broken()) > 0 || len(lived) != 20 {
		t.Errorf("connections broken: %v", lived)
	}
}
