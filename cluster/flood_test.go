//go:build proofs

package cluster

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/e2e/lab"
)

// floodLasts is several times as long as gossip takes to ask every member.
const floodLasts = 15 * time.Second

// TestGossipUnderLoadOfStrangersMissesNoMember sends ten thousand packets a second to a gossip port. From a stranger's address they
// make nobody suspect a member, nor find it by TCP alone, more often than it happens as long without them: on a machine that is
// busy with others it may. The control of that is the same from a member's address.
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
	before := count(suspected) + count(overTCP)
	pause(t.Context(), floodLasts)
	quiet := count(suspected) + count(overTCP) - before
	before, counted := count(suspected)+count(overTCP), ns[0].strangers.Counts()[port.TooMuchGossip]
	floods(t, ns[0], stranger)
	if n := count(suspected) + count(overTCP) - before; n > quiet {
		t.Errorf("a member did not answer a packet %d times, and %d times without strangers", n, quiet)
	}
	if n := ns[0].strangers.Counts()[port.TooMuchGossip] - counted; n < 100_000 {
		t.Errorf("%d packets are counted: that was no flood", n)
	}
	before, suspectedBefore := count(overTCP), count(suspected)
	floods(t, ns[0], member)
	if count(overTCP)-before <= quiet {
		t.Error("in a flood from a member's address every packet is answered: the proof proves nothing")
	}
	if n := count(suspected) - suspectedBefore; n > 0 {
		t.Errorf("a member was suspected %d times, though TCP was there", n)
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
