package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agent/liveness"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/fsm"
)

func TestAMemberIsAskedForByItsAddressesOnTheLink(t *testing.T) {
	addrs := func(texts ...string) (out []netip.Addr) {
		for _, text := range texts {
			out = append(out, netip.MustParseAddr(text))
		}
		return out
	}
	subnets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("fe80::/64")}
	router := func(source string) keeper.RouterStatus {
		return keeper.RouterStatus{Interface: "eth0", Source: netip.MustParseAddr(source), Subnets: subnets}
	}
	broken := router("192.0.2.1")
	broken.Fault = "link down"
	for _, tt := range []struct {
		name    string
		router  keeper.RouterStatus
		sources []netip.Addr
		want    []netip.Addr
	}{
		{"those of the subnet", router("192.0.2.1"), addrs("192.0.2.2", "198.51.100.2", "2001:db8::2"), addrs("192.0.2.2")},
		{"none: a witness elsewhere", router("192.0.2.1"), addrs("198.51.100.2"), nil},
		{"global before link-local", router("fe80::1"), addrs("192.0.2.2", "2001:db8::2", "fe80::2"), addrs("2001:db8::2")},
		{"link-local alone", router("fe80::1"), addrs("fe80::2", "fe80::3"), addrs("fe80::2", "fe80::3")},
		{"the router cannot work", broken, addrs("192.0.2.2"), nil},
		{"the router has no source yet", keeper.RouterStatus{Interface: "eth0", Subnets: subnets}, addrs("192.0.2.2"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []probe.Target
			for _, a := range tt.want {
				want = append(want, probe.Target{Interface: "eth0", Source: tt.router.Source, Address: a})
			}
			got := targetsOf(tt.router, fsm.Member{Sources: tt.sources})
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADirectorIsApartFromOneThatItDoesNotHearAndWhenItHasJustStoodStill(t *testing.T) {
	s := &session{cfg: config.Agent{Name: "d1", Liveness: config.DefaultLiveness}}
	s.alive.tracker = liveness.NewTracker(noon, config.DefaultLiveness, func() time.Duration { return 0 })
	now := noon
	run := func(d time.Duration, heard bool) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(config.DefaultLiveness)
			s.alive.tracker.Ran("probes", now)
			if heard {
				s.alive.tracker.Heard("d2", now)
			}
		}
	}
	want := func(when string, apart bool) {
		t.Helper()
		if got := s.apartFrom([]string{"d1", "d2"}, now); got != apart {
			t.Errorf("%s it is apart: %v", when, got)
		}
	}
	run(time.Second, true)
	want("they hear each other:", false)
	run(ownership.Mute, false)
	want("the other is silent:", true)
	run(time.Second, true)
	want("it is heard again:", false)
	now = now.Add(1800 * time.Millisecond) // in which the others heard nothing of this one
	want("it has stood still:", true)
	run(ownership.Mute, true)
	want("it has run since:", false)
}

// The others count from the last beat that came, and do not ask who was silent for [ownership.Mute].
func TestADirectorThatStoodStillForAsLongAsMakesItMuteToOthersIsApart(t *testing.T) {
	for _, every := range []time.Duration{config.DefaultLiveness, 2 * config.DefaultLiveness} {
		scale := every / config.DefaultLiveness
		for stall, want := range map[time.Duration]bool{
			500 * time.Millisecond: false, 900 * time.Millisecond: true, time.Second: true, 1100 * time.Millisecond: true, 2 * time.Second: true,
		} {
			s := &session{cfg: config.Agent{Name: "d1", Liveness: every}}
			s.alive.tracker = liveness.NewTracker(noon, every, func() time.Duration { return 0 })
			now := noon.Add(time.Minute)
			s.alive.tracker.Ran("beats", now)
			now = now.Add(scale * stall)
			s.alive.tracker.Heard("d2", now) // its beats were not read meanwhile
			s.alive.tracker.Ran("beats", now)
			if got := s.apartFrom([]string{"d1", "d2"}, now); got != want {
				t.Errorf("with beats every %v and a stall of %v it is apart: %v", every, scale*stall, got)
			}
		}
	}
}

func TestAnAgentThatIsMuteIsNamedWhereItsMachineAnswers(t *testing.T) {
	g := fsm.Group{Name: "web", Routers: []fsm.Router{{Name: "wan"}, {Name: "lan"}}}
	refused := fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", unix.ECONNREFUSED)})
	for _, tt := range []struct {
		name      string
		unheard   time.Duration
		unreached []time.Duration
		failed    error
		want      string
	}{
		{"it says something", time.Second, []time.Duration{0, 0}, nil, ""},
		{"the machine is gone too", time.Minute, []time.Duration{time.Minute, -1}, context.DeadlineExceeded, ""},
		{"nothing listens", 22 * time.Second, []time.Duration{0, 0}, refused,
			"the machine of d2 answers on the segment of wan, but its agent has said nothing on the cluster port for 22s: nothing listens there, so it does not run, or it is in no cluster, as one that has lost its data: `quorate status` on d2 says which"},
		{"one segment is enough", 90500 * time.Millisecond, []time.Duration{time.Minute, 90 * time.Millisecond}, context.DeadlineExceeded,
			"the machine of d2 answers on the segment of lan, but its agent has said nothing on the cluster port for 1m30s: it is stopped or hangs, or that path is cut"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := muteAgent("d2", g, tt.unheard, tt.unreached, tt.failed); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// A busy host may not have listened on time for long enough to call anybody silent, and a connection is refused all the same.
func TestThatNothingListensIsSaidBeforeAnySilence(t *testing.T) {
	t.Parallel()
	_, s, stop := ofTwo(t)
	s.alive.tracker = liveness.NewTracker(time.Now(), time.Second/10, func() time.Duration { return 0 })
	s.alive.pulse = liveness.New(liveness.Config{
		Members: s.others, Tracker: s.alive.tracker, Log: hclog.NewNullLogger(),
		Open: func(ctx context.Context, member string) (net.Conn, error) {
			return s.node.Stream(ctx, member, "/peer/pulse", pulseDead)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.alive.pulse.Run(ctx) })
	defer running.Wait()
	defer cancel()
	stop()
	soon(t, "it is said why it does not answer", func() bool {
		return slices.ContainsFunc(s.muteAgents(nil, nil, time.Now()), func(said string) bool {
			return strings.HasPrefix(said, "d1 is not reached on the cluster port: nothing listens there")
		})
	})
	if said := s.muteAgents(nil, map[string]string{"d1": "is a clock wrong?"}, time.Now()); len(said) > 0 {
		t.Errorf("of who cannot prove itself: %q", said)
	}
}
