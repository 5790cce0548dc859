//go:build proofs

package cluster

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/e2e/lab"
)

// floodLasts is several times as long as gossip takes to ask every member.
const floodLasts = 15 * time.Second

// asksAMember is how often a member is asked by a packet in a flood, beside what gossip asks of itself.
const asksAMember = 300

// TestGossipUnderLoadOfStrangersMissesNoMember sends ten thousand packets a second to a gossip port. From a stranger's address they
// make nobody suspect a member, nor find it by TCP alone, and it answers what another asks it by a packet: on a machine that is
// busy with others but for a few. The control of that is the same from a member's address, which has it miss ten times as many.
func TestGossipUnderLoadOfStrangersMissesNoMember(t *testing.T) {
	var said lab.Buffer
	ns := three(t, func(c *Config) { c.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &said}) })
	stranger, member := net.IPv4(127, 255, 1, 1), net.IP(ns[1].cfg.Gossip.Addr().AsSlice())
	count := func(text string) int { return strings.Count(said.String(), text) }
	const suspected, overTCP = "memberlist: Suspect", "over TCP but UDP probes failed"
	eventually(t, "all hear of each other", func() error {
		for _, n := range ns {
			for _, m := range ns {
				if !n.gossipHears(m.cfg.Name) {
					return fmt.Errorf("%s does not hear of %s", n.cfg.Name, m.cfg.Name)
				}
			}
		}
		return nil
	})
	counts := func(from net.IP) (suspects, overTCPs, missed int) {
		suspects, overTCPs = count(suspected), count(overTCP)
		asks := asksInFlood(ns[1], ns[0])
		floods(t, ns[0], from)
		missed = asks()
		suspects, overTCPs = count(suspected)-suspects, count(overTCP)-overTCPs
		t.Logf("in a flood from %v a member is suspected %d times, found by TCP alone %d times, and misses %d of %d packets", from, suspects, overTCPs, missed, asksAMember)
		return suspects, overTCPs, missed
	}
	counted := ns[0].strangers.Counts()[port.TooMuchGossip]
	suspects, overTCPs, missed := counts(stranger)
	if n := ns[0].strangers.Counts()[port.TooMuchGossip] - counted; n < 100_000 {
		t.Errorf("%d packets are counted: that was no flood", n)
	}
	probes := len(ns) * int(floodLasts/gossipEvery)
	for what, n := range map[string]int{"suspected": suspects, "found by TCP alone": overTCPs} {
		if n > probes/10 {
			t.Errorf("a member is %s %d times, of the %d that gossip asks one", what, n, probes)
		}
	}
	if missed > asksAMember/20 {
		t.Errorf("a member misses %d of %d packets", missed, asksAMember)
	}
	suspects, _, missedOfMember := counts(member)
	if missedOfMember < max(10*missed, asksAMember/4) {
		t.Errorf("a flood from a member's address has it miss %d packets, and one from a stranger's %d: the proof proves nothing", missedOfMember, missed)
	}
	if suspects > probes/10 {
		t.Errorf("a member was suspected %d times, though TCP was there", suspects)
	}
}

// asksInFlood has a member ask another by packets, evenly as long as a flood lasts. What it returns waits for the last answer, and
// says how many did not come.
func asksInFlood(by, of *testnode) (missed func() int) {
	var lost atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		every := time.NewTicker(floodLasts / asksAMember)
		defer every.Stop()
		for range asksAMember {
			<-every.C
			all.Go(func() {
				if _, err := by.gossip.Load().Ping(of.id.ID, net.UDPAddrFromAddrPort(of.cfg.Gossip)); err != nil {
					lost.Add(1)
				}
			})
		}
	})
	return func() int {
		all.Wait()
		return int(lost.Load())
	}
}

// floods sends ten thousand packets a second to a node's gossip port from an address.
func floods(t *testing.T, to *testnode, from net.IP) {
	t.Helper()
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: from}, net.UDPAddrFromAddrPort(to.cfg.Gossip))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(floodLasts); time.Now().Before(end); <-every.C {
		for range 100 {
			_, _ = c.Write([]byte("nonsense"))
		}
	}
}
