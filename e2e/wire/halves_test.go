package wire

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// A half is a cut of the clients' segment in two, and what docs/ownership-truth-table.md says of it. The client
// is the gateway too: the directors' default route leads there.
type half struct {
	name   string
	owner  []string // on the owner's side beside it: "client", "third"
	serves string   // while it is cut: "owner and another" or "another"
	healed string   // "owner" or "another"
}

// sides are the hosts of the owner's side and of the other.
func (w *testnet) sides(h half, owner *lab.Director) (one, other []*lab.Host) {
	with := map[string]*lab.Host{"client": w.Client, "third": w.others(owner)[1].Host}
	one = []*lab.Host{owner.Host}
	for _, name := range h.owner {
		one = append(one, with[name])
	}
	for _, host := range append(w.hosts(owner), w.Client) {
		if !slices.Contains(one, host) {
			other = append(other, host)
		}
	}
	return one, other
}

// halved is a network of three with an owner, whose directors have a gateway there. Its agents speak on a segment
// of their own, or on the clients'. The directors do not forward: one that has let the address go would lead the
// client on to its new owner, whose answer would tell it what only an announcement is to tell.
func halved(t *testing.T, w *testnet, same bool) *testnet {
	t.Helper()
	for _, d := range w.Directors {
		if same {
			d.Bind = d.Addr(w.Outer).String()
		}
		d.MustRun("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")
		d.MustRun("ip", "route", "replace", "default", "via", w.Client.Addr(w.Outer).String())
	}
	w.Cluster(t)
	w.apply(t, routerFile)
	return w
}

// soon is when one is to own after a heal: an advertisement, and the second that no test asserts less than.
const soon = 200*time.Millisecond + time.Second

// cutAndHealed cuts the segment in two, and holds that those own who are to, then heals it, and holds that one
// owns soon, that the client knows it a second later, and that it stays so.
func (w *testnet) cutAndHealed(t *testing.T, h half) {
	owner := w.settled(t)
	before := epoch(t, owner)
	one, other := w.sides(h, owner)
	probe := w.Client.Probe(lab.Probe{To: vip, Interval: 5 * time.Millisecond}) // so that its neighbour entry is used
	defer func() { t.Logf("%v", probe.Close()) }()
	undo := w.Partition(one, other, lab.AllTraffic(), w.Outer)
	defer undo()
	lab.Eventually(t, 15*time.Second, h.serves+" serve", func() error { return w.serve(owner, h.serves) })
	lab.Consistently(t, proof.Long(2*time.Second, 20*time.Second), h.serves+" serve", func() error { return w.serve(owner, h.serves) })
	healed := h.healed
	if epoch(t, owner) != before && healed == "owner" {
		t.Log("on a busy machine the owner's answer was late, and it was claimed from: the log names another by now")
		healed = "another"
	}
	undo()
	lab.Eventually(t, soon, "one owns", func() error { return w.OneOwner(vip) })
	lab.Eventually(t, time.Second, "the client knows which", w.clientKnows)
	lab.Consistently(t, time.Second, "one owns, and the client knows which", func() error {
		return errors.Join(w.OneOwner(vip), w.clientKnows())
	})
	if now := w.settled(t); (now == owner) != (healed == "owner") {
		t.Errorf("%s owns, before the cut %s did: want %s", now.Name, owner.Name, healed)
	}
}

// serve says how the owners differ from those that are to be.
func (w *testnet) serve(owner *lab.Director, want string) error {
	owners, others := w.Owners(vip), 0
	for _, o := range owners {
		if o != owner.Host {
			others++
		}
	}
	was := len(owners) > others
	if others != 1 || was != (want == "owner and another") {
		return fmt.Errorf("%d others, and before the cut's owner: %v", others, was)
	}
	return nil
}

// clientKnows is nil if the client's neighbour entry of the address is the owner's.
func (w *testnet) clientKnows() error {
	owners := w.Owners(vip)
	if name := w.Client.Neighbour(vip); len(owners) != 1 || owners[0].Name != name {
		return fmt.Errorf("it knows %q, owners: %d", name, len(owners))
	}
	return nil
}

// What the cut leaves whole is the agents' way to each other.
func TestASegmentIsCutBesideTheClustersOwn(t *testing.T) {
	t.Parallel()
	w := halved(t, buildAs(t, "cd", 3), false)
	for _, h := range []half{
		{"the owner and the gateway on one side", []string{"client"}, "owner and another", "owner"},
		{"the owner alone on its side", nil, "another", "another"},
	} {
		if !t.Run(h.name, func(t *testing.T) { w.cutAndHealed(t, h) }) {
			return
		}
	}
}

// The cut is one of the agents' way too: at the heal the side with the quorum stays.
func TestASegmentIsCutWithTheClusterOnIt(t *testing.T) {
	t.Parallel()
	w := halved(t, buildAs(t, "ce", 3), true)
	for _, h := range []half{
		{"the owner and the gateway on the side without the quorum", []string{"client"}, "owner and another", "another"},
		{"the owner alone on its side", nil, "owner and another", "another"},
		{"the successor alone on its side", []string{"client", "third"}, "owner and another", "owner"},
	} {
		if !t.Run(h.name, func(t *testing.T) { w.cutAndHealed(t, h) }) {
			return
		}
	}
}

// The control: who stays at the heal says nothing, and the client goes on with the one that it knew.
func TestWithoutAnnouncementsTheClientKnowsNoNewOwner(t *testing.T) {
	t.Parallel()
	w := halved(t, mutantsAs(t, "cf", mutant.Mute), true)
	owner := w.settled(t)
	probe := w.Client.Probe(lab.Probe{To: vip, Interval: 5 * time.Millisecond})
	defer probe.Close()
	one, other := w.sides(half{owner: []string{"client"}}, owner)
	undo := w.Partition(one, other, lab.AllTraffic(), w.Outer)
	defer undo()
	lab.Eventually(t, 15*time.Second, "an owner on each side", func() error { return w.serve(owner, "owner and another") })
	undo()
	lab.Eventually(t, 10*time.Second, "another owns alone", func() error { return w.serve(owner, "another") })
	time.Sleep(soon)
	if err := w.clientKnows(); err == nil {
		t.Errorf("the client knows the new owner: the proof proves nothing")
	}
}
