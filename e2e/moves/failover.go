package moves

import (
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// diesWithin is within what time somebody takes over from who died: three intervals of a second and skew, and
// slack. On a real kernel no test asserts less than a second.
const diesWithin = 6 * time.Second

// What happens to an owner without anybody's will.
var (
	MachineDies = proof.Step{Name: "its machine dies and both addresses move together", Proof: ownersMachineDies}
	LinkDown    = proof.Step{Name: "one of its links goes down and both addresses move together", Proof: oneLinkDown}
)

func ownersMachineDies(t lab.T, a *lab.Article) {
	owner := a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP)
	a.AwaitReady(t, 30*time.Second)
	probe := probing(t, a)
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

// probing probes the outer address. A proof that ends early leaves no probes to the next.
func probing(t lab.T, a *lab.Article) *lab.Prober {
	t.Helper()
	p := a.Client.Probe(lab.Probe{To: lab.OuterVIP, Interval: 5 * time.Millisecond})
	t.Cleanup(p.Stop)
	time.Sleep(200 * time.Millisecond) // the client knows where it is by then, and loses what is lost
	return p
}

// oneLinkDown takes the outer link first: what it says of the sync group is said by that half. Nothing but the group has
// the inner address go too, since all that the agents say to each other goes by the inner network. With the inner link
// an owner loses the quorum as well, and whoever has it would claim each of the addresses a few seconds later,
// sync group or not: that half holds that the service goes on.
func oneLinkDown(t lab.T, a *lab.Article) {
	for _, s := range []*lab.Segment{a.Outer, a.Inner} {
		a.AwaitReady(t, 30*time.Second)
		owner := ownsBoth(t, a)
		probe := probing(t, a)
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

// ownsBoth waits until one host has both addresses, and returns it.
func ownsBoth(t lab.T, a *lab.Article) *lab.Host {
	t.Helper()
	var owner *lab.Host
	lab.Eventually(t, proof.OwnedWithin, "one director has both addresses", func() error {
		outer, inner := a.Owners(lab.OuterVIP), a.Owners(lab.InnerVIP)
		if len(outer) != 1 || len(inner) != 1 || outer[0] != inner[0] {
			return errOwners(outer, inner)
		}
		owner = outer[0]
		return nil
	})
	return owner
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

// servers is how many real servers File has.
const servers = 6

// File is the article's set-up with a TCP echo service beside the web. Its checks are rare: a guest
// has one slow processor, and it is to carry the load.
var File = strings.Replace(lab.ArticleFile, `interval = "1s"`, `interval = "3s"`, 1) + `
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
