package address

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-hclog"
)

var comparable = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

func prefix(s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	return netip.MustParsePrefix(s)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// manyPaths has each thing that a route or a rule can say, in both families, with the words in which the
// ip command shows it.
func manyPaths() (p Paths, shown []string) {
	route := func(r Route, words string) { p.Routes, shown = append(p.Routes, r), append(shown, words) }
	rule := func(r Rule, words string) { p.Rules, shown = append(p.Rules, r), append(shown, words) }
	route(Route{Destination: prefix("0.0.0.0/0"), Via: addr("192.0.2.9"), Table: 100}, "default via 192.0.2.9 dev qa table 100 proto 112")
	route(Route{Destination: prefix("10.1.0.0/16"), Via: addr("192.0.2.9"), Source: addr("192.0.2.100"), Metric: 7, MTU: 1400, MTULock: true, AdvMSS: 1300}, "10.1.0.0/16 via 192.0.2.9 dev qa proto 112 src 192.0.2.100 metric 7 mtu lock 1400 advmss 1300")
	route(Route{Destination: prefix("10.2.0.0/16"), Interface: "qa", Table: 70000, Scope: "link"}, "10.2.0.0/16 dev qa table 70000 proto 112 scope link")
	route(Route{Destination: prefix("10.3.0.0/16"), Interface: "qa", Via: addr("203.0.113.9"), OnLink: true, TOS: 16}, "10.3.0.0/16 tos 0x10 via 203.0.113.9 dev qa proto 112 onlink")
	route(Route{Destination: prefix("10.4.0.0/16"), Via: addr("2001:db8::9"), Interface: "qa"}, "10.4.0.0/16 via inet6 2001:db8::9 dev qa proto 112")
	route(Route{Destination: prefix("10.5.0.0/16"), Type: Blackhole}, "blackhole 10.5.0.0/16 proto 112")
	route(Route{Destination: prefix("10.6.0.0/16"), Type: Unreachable}, "unreachable 10.6.0.0/16 proto 112")
	route(Route{Destination: prefix("10.7.0.0/16"), Type: Prohibit, Table: 100}, "prohibit 10.7.0.0/16 table 100 proto 112")
	route(Route{Destination: prefix("::/0"), Via: addr("2001:db8::9"), Table: 100}, "default via 2001:db8::9 dev qa table 100 proto 112 metric 1024")
	route(Route{Destination: prefix("2001:db8:1::/48"), Via: addr("2001:db8::9"), Source: addr("2001:db8::100"), Metric: 7, MTU: 1400, HopLimit: 9, InitCwnd: 20}, "2001:db8:1::/48 via 2001:db8::9 dev qa proto 112 src 2001:db8::100 metric 7")
	route(Route{Destination: prefix("2001:db8:2::/48"), Interface: "qa"}, "2001:db8:2::/48 dev qa proto 112 metric 1024")
	route(Route{Destination: prefix("2001:db8:3::/48"), Type: Blackhole}, "blackhole 2001:db8:3::/48 dev lo proto 112 metric 1024")
	route(Route{Destination: prefix("2001:db8:4::/48"), Via: addr("fe80::9"), Interface: "qa"}, "2001:db8:4::/48 via fe80::9 dev qa proto 112 metric 1024")
	rule(Rule{Priority: 500, From: prefix("192.0.2.100/32"), Table: 100}, "500:\tfrom 192.0.2.100 lookup 100 proto 112")
	rule(Rule{Priority: 501, To: prefix("10.0.0.0/8"), In: "qa", Out: "lo", Table: 70000}, "501:\tfrom all to 10.0.0.0/8 iif qa oif lo lookup 70000 proto 112")
	rule(Rule{Priority: 502, Mark: 0x10, Mask: 0xf0, TOS: 16}, "502:\tfrom all tos 0x10 fwmark 0x10/0xf0 lookup main proto 112")
	rule(Rule{Priority: 503, Not: true, From: prefix("10.0.0.0/8"), Type: Prohibit}, "503:\tnot from 10.0.0.0/8 prohibit proto 112")
	rule(Rule{Priority: 504, V6: true, Mark: 3, Table: 100}, "504:\tfrom all fwmark 0x3 lookup 100 proto 112")
	rule(Rule{Priority: 505, From: prefix("2001:db8::100/128"), Type: Blackhole}, "505:\tfrom 2001:db8::100 blackhole proto 112")
	rule(Rule{Priority: 506, To: prefix("2001:db8:1::/48"), In: "qa", Type: Unreachable}, "506:\tfrom all to 2001:db8:1::/48 iif qa unreachable proto 112")
	return p, shown
}

func routedNamespace(t *testing.T) *Host {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	must(t, h.Renew([]Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")}, 0))
	// The kernel makes its own routes of IPv6 addresses and links later, from a queue of work.
	deadline := time.Now().Add(10 * time.Second)
	for _, own := range []string{"local 2001:db8::1 dev qa", "local 2001:db8::100 dev qa", "multicast ff00::/8 dev qa", "multicast ff00::/8 dev qb"} {
		for !strings.Contains(allPaths(t), own) {
			if time.Now().After(deadline) {
				t.Fatalf("no %q in\n%s", own, allPaths(t))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return h
}

// allPaths is what the ip command shows of routes and rules, spaces made single.
func allPaths(t *testing.T) string {
	all := ip(t, "-4 route show table all") + ip(t, "-6 route show table all") + ip(t, "-4 rule show") + ip(t, "-6 rule show")
	var lines []string
	for line := range strings.Lines(all) {
		lines = append(lines, strings.ReplaceAll(strings.Join(strings.Fields(line), " "), ": ", ":\t"))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestEveryRouteAndRuleIsAddedAsSaidAndGoesWithoutATrace(t *testing.T) {
	h := routedNamespace(t)
	before := allPaths(t)
	p, shown := manyPaths()
	for range 2 { // again changes nothing
		must(t, h.RenewPaths(p, 0))
		have := allPaths(t)
		for _, want := range shown {
			if n := strings.Count(have, want); n != 1 {
				t.Errorf("shown %d times: %q in\n%s", n, want, have)
			}
		}
	}
	have, err := newHost(t).Paths() // a later run knows them
	must(t, err)
	if len(have.Routes) != len(p.Routes) || len(have.Rules) != len(p.Rules) {
		t.Errorf("Paths: %d routes and %d rules, want %d and %d", len(have.Routes), len(have.Rules), len(p.Routes), len(p.Rules))
	}
	if lacks := have.Lacks(p); !lacks.Empty() {
		t.Errorf("Paths lacks %v of\n%v", lacks, have)
	}
	if beyond := have.Beyond(p); !beyond.Empty() {
		t.Errorf("Paths has %v beside", beyond)
	}
	for range 2 { // absent is fine
		must(t, h.RemovePaths(have))
	}
	if diff := cmp.Diff(before, allPaths(t)); diff != "" {
		t.Errorf("after removal (-before +after):\n%s", diff)
	}
}

func TestWhatOthersRoutedIsNeverTouched(t *testing.T) {
	h := routedNamespace(t)
	ip(t, "route add 10.1.0.0/16 via 192.0.2.8")
	ip(t, "-6 route add 2001:db8:1::/48 via 2001:db8::8")
	ip(t, "rule add from 10.0.0.1 lookup 100 pref 500")
	ip(t, "route add 10.2.0.0/16 via 192.0.2.9") // the same as ours
	before := allPaths(t)
	ours := Paths{
		Routes: []Route{{Destination: prefix("10.1.0.0/16"), Via: addr("192.0.2.9")}, {Destination: prefix("10.2.0.0/16"), Via: addr("192.0.2.9")}},
		Rules:  []Rule{{Priority: 500, From: prefix("10.0.0.1/32"), Table: 100}},
	}
	six := Paths{Routes: []Route{{Destination: prefix("2001:db8:1::/48"), Via: addr("2001:db8::9")}}}
	must(t, h.RenewPaths(ours, 0))
	if got := ip(t, "route get 10.1.0.1"); !strings.Contains(got, "via 192.0.2.9") {
		t.Errorf("ours is not before the other's: %s", got)
	}
	for _, lifetime := range []time.Duration{0, 5 * time.Second} {
		if err := h.RenewPaths(six, lifetime); err == nil || !strings.Contains(err.Error(), "2001:db8:1::/48 via 2001:db8::9") {
			t.Errorf("an IPv6 route beside another's: %v, want it refused and named", err)
		}
	}
	for range 2 { // and the second time there is none of ours
		must(t, h.RemovePaths(Paths{Routes: append(ours.Routes, six.Routes...), Rules: ours.Rules}))
		if diff := cmp.Diff(before, allPaths(t)); diff != "" {
			t.Errorf("after removal (-before +after):\n%s", diff)
		}
	}
}

// A dead keeper renews nothing.
func TestWhatOfTheRoutesGoesWithTheAddressesOfADeadKeeper(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	must(t, h.Renew([]Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")}, 2*time.Second))
	p := Paths{Routes: []Route{
		{Destination: prefix("10.1.0.0/16"), Via: addr("192.0.2.9"), Source: addr("192.0.2.100")},
		{Destination: prefix("2001:db8:1::/48"), Via: addr("2001:db8::9"), Source: addr("2001:db8::100")},
		{Destination: prefix("2001:db8:2::/48"), Via: addr("2001:db8::9"), Table: 100},
	}}
	stays := Paths{Routes: []Route{
		{Destination: prefix("10.2.0.0/16"), Via: addr("192.0.2.9")},
		{Destination: prefix("10.3.0.0/16"), Via: addr("192.0.2.9"), Source: addr("192.0.2.100"), Table: 100},
		{Destination: prefix("2001:db8:3::/48"), Type: Blackhole},
	}, Rules: []Rule{{Priority: 500, From: prefix("192.0.2.100/32"), Table: 100}}}
	must(t, h.RenewPaths(stays, 2*time.Second))
	for start := time.Now(); time.Since(start) < 4*time.Second; time.Sleep(300 * time.Millisecond) {
		must(t, h.Renew([]Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")}, 2*time.Second))
		must(t, h.RenewPaths(p, 2*time.Second))
		have, err := h.Paths()
		must(t, err)
		if lacks := have.Lacks(p); !lacks.Empty() {
			t.Fatalf("while renewed, %v is missing", lacks)
		}
	}
	start := time.Now()
	for {
		have, err := h.Paths()
		must(t, err)
		if have.Beyond(stays).Empty() {
			if lacks := have.Lacks(stays); !lacks.Empty() {
				t.Errorf("%v is gone, and was said to stay", lacks)
			}
			break
		}
		if time.Since(start) > 4*time.Second {
			t.Fatalf("4 s after the last renewal there is %v", have.Beyond(stays))
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("gone %v after the last renewal", time.Since(start))
	must(t, h.RenewPaths(Paths{Routes: p.Routes[2:]}, 2*time.Second)) // what has run out and is listed still
	if have, err := h.Paths(); err != nil || len(have.Lacks(Paths{Routes: p.Routes[2:]}).Routes) > 0 {
		t.Errorf("a route that had run out is not there again: %v, %v", have, err)
	}
}

func TestWatchTellsOfRoutesAndRulesThatOthersRemoveOrReplace(t *testing.T) {
	h := routedNamespace(t)
	p, _ := manyPaths()
	events := watch(t, h)
	expect(t, events, Event{Interface: "qa", Up: true})
	must(t, h.RenewPaths(p, 0))
	about := func(what string, is func(Event) bool) {
		t.Helper()
		for deadline := time.After(5 * time.Second); ; {
			select {
			case e := <-events:
				if is(e) {
					return
				}
			case <-deadline:
				t.Fatalf("no event of %s in 5 s", what)
			}
		}
	}
	for command, r := range map[string]Route{
		"route del 10.1.0.0/16 metric 7": p.Routes[1], "-6 route del 2001:db8:2::/48": p.Routes[10], "route del table 100 default": p.Routes[0],
		"route replace prohibit 10.5.0.0/16": p.Routes[5], "-6 route replace prohibit 2001:db8:3::/48": p.Routes[11],
	} {
		ip(t, command)
		about(command, func(e Event) bool { return r.covers(e.RemovedRoute) })
	}
	for command, r := range map[string]Rule{"rule del pref 500": p.Rules[0], "-6 rule del pref 505": p.Rules[5]} {
		ip(t, command)
		about(command, func(e Event) bool { return r.covers(e.RemovedRule) })
	}
}

func TestAFullTableOfOthersRoutesIsNoEvent(t *testing.T) {
	h := routedNamespace(t)
	var log bytes.Buffer
	h.log = hclog.New(&hclog.LoggerOptions{Output: &log})
	blocked, first, events := make(chan bool), true, make(chan Event, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- h.Watch(ctx, func(e Event) {
			if first { // the storm meets a reader that does not read
				first = false
				<-blocked
			}
			events <- e
		})
	}()
	script(t, `seq 0 19999 | awk '{printf "route add 10.%d.%d.0/24 via 192.0.2.9\n", 100+$1/250, $1%250}' | ip -batch -`)
	script(t, "ip route flush via 192.0.2.9")
	ours := Route{Destination: prefix("10.1.0.0/16"), Via: addr("192.0.2.9")}
	must(t, h.RenewPaths(Paths{Routes: []Route{ours}}, 0))
	must(t, h.RemovePaths(Paths{Routes: []Route{ours}}))
	close(blocked)
	e := <-events
	for ; e.RemovedRoute == (Route{}); e = <-events {
	}
	cancel()
	must(t, <-done)
	if !ours.covers(e.RemovedRoute) {
		t.Errorf("the first event of a route is of %s, want %s", e.RemovedRoute, ours)
	}
	if strings.Contains(log.String(), "lost events") {
		t.Error("the routes of others filled the queue")
	}
}

func TestWhatIsNoRouteOrRuleIsRefusedAndNamed(t *testing.T) {
	for _, tt := range []struct {
		paths Paths
		want  string
	}{
		{Paths{Routes: []Route{{}}}, "no destination"},
		{Paths{Routes: []Route{{Destination: prefix("10.0.0.0/8")}}}, "neither via nor interface"},
		{Paths{Routes: []Route{{Destination: prefix("10.0.0.0/8"), Type: "throw"}}}, `type "throw"`},
		{Paths{Routes: []Route{{Destination: prefix("10.0.0.0/8"), Type: Blackhole, Via: addr("192.0.2.9")}}}, "goes nowhere"},
		{Paths{Routes: []Route{{Destination: prefix("2001:db8::/32"), Via: addr("192.0.2.9")}}}, "not of its family"},
		{Paths{Routes: []Route{{Destination: prefix("10.0.0.0/8"), Via: addr("192.0.2.9"), Source: addr("2001:db8::1")}}}, "not of its family"},
		{Paths{Routes: []Route{{Destination: prefix("10.0.0.0/8"), Via: addr("192.0.2.9"), Scope: "galaxy"}}}, `scope "galaxy"`},
		{Paths{Routes: []Route{{Destination: prefix("2001:db8::/32"), Via: addr("2001:db8::9"), TOS: 4}}}, "neither scope nor tos"},
		{Paths{Routes: []Route{
			{Destination: prefix("10.0.0.0/8"), Via: addr("192.0.2.9")}, {Destination: prefix("10.0.0.9/8"), Via: addr("192.0.2.8"), Table: 254},
		}}, "another one has its destination"},
		{Paths{Rules: []Rule{{From: prefix("10.0.0.0/8"), Table: 100}}}, "no priority"},
		{Paths{Rules: []Rule{{Priority: 1, From: prefix("10.0.0.0/8"), To: prefix("2001:db8::/32"), Table: 100}}}, "not of its family"},
		{Paths{Rules: []Rule{{Priority: 1, Mark: 0x11, Mask: 0x10, Table: 100}}}, "bits that the mask has not"},
		{Paths{Rules: []Rule{{Priority: 1, Type: "goto"}}}, `type "goto"`},
		{Paths{Rules: []Rule{{Priority: 1, From: prefix("0.0.0.0/0")}, {Priority: 1, Table: 254}}}, "twice"},
	} {
		if err := tt.paths.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate(%v) = %v, want %q", tt.paths, err, tt.want)
		}
	}
	p, _ := manyPaths()
	if err := p.Validate(); err != nil {
		t.Errorf("Validate of what is right: %v", err)
	}
}

func TestRoutesAndRulesReadBackAsWhatWasSent(t *testing.T) {
	p, _ := manyPaths()
	for _, r := range p.Routes {
		got, ok := parseRoute(routeBody(r, 3, 9), func(int) string { return "qa" })
		if !ok || !got.ours || !r.covers(got.Route) {
			t.Errorf("route %s reads back as %+v", r, got)
		}
	}
	for _, r := range p.Rules {
		if got, ours := parseRule(ruleBody(r)); !ours || !r.covers(got) {
			t.Errorf("rule %s reads back as %+v", r, got)
		}
	}
}

func TestWhatIsMissingAndWhatIsTooMuch(t *testing.T) {
	p, _ := manyPaths()
	have := Paths{Routes: slices.Clone(p.Routes[1:]), Rules: slices.Clone(p.Rules[1:])}
	have.Routes[0].Interface = "qa" // as the kernel says it
	if diff := cmp.Diff(Paths{Routes: p.Routes[:1], Rules: p.Rules[:1]}, have.Lacks(p), comparable); diff != "" {
		t.Errorf("Lacks (-want +got):\n%s", diff)
	}
	other := p.Routes[1]
	other.Via = addr("192.0.2.8")
	have.Routes = append(have.Routes, other)
	if diff := cmp.Diff(Paths{Routes: []Route{other}}, have.Beyond(p), comparable); diff != "" {
		t.Errorf("Beyond (-want +got):\n%s", diff)
	}
}
