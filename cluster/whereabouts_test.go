package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// elsewhere starts a member at other addresses.
func elsewhere(t *testing.T, n *testnode, with ...func(*Config)) *testnode {
	t.Helper()
	cfg := config(t, n.cfg.Name)
	cfg.DataDir = n.cfg.DataDir
	for _, f := range with {
		f(&cfg)
	}
	return start(t, cfg)
}

func found(ns []*testnode) func() error {
	return func() error {
		for _, n := range ns {
			if !n.Quorum() || n.Astray() != "" {
				return fmt.Errorf("%s is in no quorum: %q", n.cfg.Name, n.Astray())
			}
			for _, m := range ns {
				if at := n.State().Members[m.cfg.Name].Address; at != m.cfg.Bind {
					return fmt.Errorf("%s knows %s at %s", n.cfg.Name, m.cfg.Name, at)
				}
			}
		}
		return nil
	}
}

// Two of three that move at once find each other by the third.
func TestTwoOfThreeThatMoveAtOnceComeBack(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	ns[0].end()
	ns[1].end()
	ns[0], ns[1] = elsewhere(t, ns[0]), elsewhere(t, ns[1])
	eventually(t, "all are found", found(ns))
}

// Where all have moved nobody knows where another is, and each says what to do; it is enough to name one of them to the others.
func TestAllThatMoveAtOnceSayWhatToDoAndThatWorks(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	for _, n := range ns {
		n.end()
	}
	for i, n := range ns {
		ns[i] = elsewhere(t, n)
	}
	for _, n := range ns {
		eventually(t, n.cfg.Name+" says what to do", func() error {
			if why := n.Astray(); !strings.Contains(why, "listens at "+n.cfg.Bind.String()) || !strings.Contains(why, "`join { address =") {
				return errors.New(why)
			}
			return nil
		})
	}
	for i, n := range ns[1:] {
		n.end()
		n.cfg.Contact = ns[0].cfg.Bind
		ns[i+1] = start(t, n.cfg)
	}
	eventually(t, "all are found", found(ns))
}

// What was heard ends with time, with what the log says, and where the member takes it back; what others say is not passed on.
func TestWhatWasHeardOfAMemberEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := fsm.Member{Name: "m", ID: "1", Address: netip.MustParseAddrPort("192.0.2.1:7946")}
		moved, readdressed := netip.MustParseAddrPort("192.0.2.2:7946"), m
		readdressed.Address = netip.MustParseAddrPort("192.0.2.3:7946")
		n := &Node{}
		is := func(when string, m fsm.Member, at netip.AddrPort, told string) {
			t.Helper()
			if got := n.heard.of(m); got != at {
				t.Errorf("%s: it is dialed at %s, want %s", when, got, at)
			}
			if got := n.whereAre(&fsm.State{Members: map[string]fsm.Member{"m": m}}, false); fmt.Sprint(got) != told {
				t.Errorf("%s: others are told %v, want %s", when, got, told)
			}
		}
		is("at first", m, m.Address, "map[]")
		n.heard.hear(m, moved, true)
		is("heard", m, moved, fmt.Sprintf("map[1:%v]", moved))
		is("the log says another", readdressed, readdressed.Address, "map[]")
		time.Sleep(heardFor - time.Second)
		n.heard.hear(m, moved, true)
		time.Sleep(heardFor - time.Second)
		is("heard again", m, moved, fmt.Sprintf("map[1:%v]", moved))
		time.Sleep(time.Second)
		is("not any more", m, m.Address, "map[]")
		n.heard.hear(m, moved, false)
		is("heard of others", m, moved, "map[]")
		n.heard.hear(m, m.Address, true)
		is("taken back", m, m.Address, "map[]")
		for i, news := range []bool{true, false} {
			if n.heard.hear(m, moved, true) != news {
				t.Errorf("heard %d times in a row: news must be %v", i+1, news)
			}
		}
		n.heard.forget(&fsm.State{Members: map[string]fsm.Member{"m": m}})
		is("still a member", m, moved, fmt.Sprintf("map[1:%v]", moved))
		n.heard.forget(&fsm.State{})
		is("removed", m, m.Address, "map[]")
	})
}

// silent returns an address where connections are made, and nothing is answered.
func silent(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", freePort(t).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return netip.MustParseAddrPort(l.Addr().String())
}

// Who is not where it was heard of is found where the log says that it is, by whatever way.
func TestWhoIsNotWhereItWasHeardOfIsFoundWhereTheLogSays(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	join(t, a, "b")
	m := a.State().Members["b"]
	for where, at := range map[string]netip.AddrPort{"nobody is there": freePort(t), "nothing is answered there": silent(t)} {
		a.heard.hear(m, at, true)
		ctx, cancel := context.WithTimeout(t.Context(), askLimit)
		if _, err := a.tellEpoch(ctx, m, netip.AddrPort{}); err != nil {
			t.Errorf("%s: not asked for the epoch: %v", where, err)
		}
		cancel()
		if err := a.call(t.Context(), "b", "POST", epochPath, epochAnswer{}, nil); err != nil {
			t.Errorf("%s: not called: %v", where, err)
		}
		conn, err := stream{node: a.Node}.Dial(raftAddress(m.ID, m.Address), 4*time.Second)
		if err != nil {
			t.Errorf("%s: not dialed for Raft: %v", where, err)
		} else {
			_ = conn.Close()
		}
		var no *port.NoStreamError
		if _, err := a.Stream(t.Context(), "b", "/nothing", time.Second); !errors.As(err, &no) {
			t.Errorf("%s: not asked for a stream: %v", where, err)
		}
	}
}

// Where a member is, its node tells, and leaves the rest of what the log has of it as it is.
func TestAMoveTellsNothingButWhereAMemberIs(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	m := a.State().Members["a"]
	m.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	if err := a.Propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
		t.Fatal(err)
	}
	a.end()
	a = elsewhere(t, a)
	eventually(t, "it is found", found([]*testnode{a}))
	if got := a.State().Members["a"].Sources; len(got) != 1 || got[0] != m.Sources[0] {
		t.Errorf("it has sources %v, want %v", got, m.Sources)
	}
}
