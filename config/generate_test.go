package config

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// generator makes valid configurations that differ in every field.
type generator struct{ *rand.Rand }

func newGenerator(seed int) generator {
	return generator{rand.New(rand.NewPCG(uint64(seed), 7))}
}

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, all []T) T { return all[g.IntN(len(all))] }

func (g generator) config(t *testing.T) fsm.Config {
	t.Helper()
	var c fsm.Config
	var tracks []string
	for i := range g.IntN(5) {
		track := g.track(i)
		put(&c.Tracks, track.Name, track)
		tracks = append(tracks, track.Name)
	}
	for i := range g.IntN(4) {
		r := g.router(i, tracks)
		put(&c.Routers, r.Name, r)
	}
	var free []string
	for name := range sorted(c.Routers) {
		if g.chance(70) {
			free = append(free, name)
		}
	}
	if len(free) > 1 {
		for _, name := range free {
			r := c.Routers[name]
			r.Placement = fsm.Placement{} // that is the group's
			c.Routers[name] = r
		}
		put(&c.SyncGroups, "group", fsm.SyncGroup{Name: "group", Routers: free, Needs: g.needs(tracks), Placement: g.placement()})
	}
	for i := range g.IntN(5) {
		s := g.service(i)
		c.Services = c.Services.With(s.Name, s)
	}
	if err := Validate(c).Err(); err != nil {
		t.Fatalf("the generator made a configuration that is wrong:\n%v", err)
	}
	return c
}

// addr makes an address that no other call with the same n makes.
func (g generator) addr(ipv6 bool, n int) netip.Addr {
	if ipv6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff::%x:%x", 1+n, 1+g.IntN(1000)))
	}
	return netip.AddrFrom4([4]byte{192, 168, byte(n), byte(1 + g.IntN(250))})
}

func (g generator) service(i int) fsm.Service {
	v6 := g.chance(30)
	s := fsm.Service{
		Name: fmt.Sprintf("service_%d.example", i), Scheduler: pick(g, fsm.Schedulers), Forward: fsm.Forward(pick(g, forwards)),
		Agreement: fsm.Agreement(pick(g, agreements)),
	}
	port := uint16(0)
	switch {
	case g.chance(20):
		s.Mark, s.IPv6 = uint32(1+10*i+g.IntN(10)), v6
	case g.chance(20):
		s.Persistence = time.Minute
		s.Address, s.Protocol = netip.AddrPortFrom(g.addr(v6, i), 0), fsm.TCP
	default:
		port = uint16(1 + g.IntN(65535))
		s.Address, s.Protocol = netip.AddrPortFrom(g.addr(v6, i), port), fsm.Protocol(pick(g, protocols))
	}
	if s.Persistence != 0 || g.chance(30) {
		s.Persistence = time.Duration(1+g.IntN(2678400)) * time.Second
		if g.chance(50) {
			s.PersistenceMask = 1 + g.IntN(32)
		}
	}
	for k := range g.IntN(4) {
		s.Checks = append(s.Checks, g.check(k))
	}
	for k := range g.IntN(5) {
		s.Servers = append(s.Servers, g.server(s, v6, port, k))
	}
	if g.chance(30) {
		f := g.server(s, v6, port, 100)
		f.Weight, f.Inhibit = 1+f.Weight/2, false
		s.Fallback = &f
	}
	return s
}

func (g generator) server(s fsm.Service, v6 bool, port uint16, n int) fsm.Server {
	server := fsm.Server{Weight: uint32(pick(g, []int{0, 1, 3, 65535})), Inhibit: g.chance(20)}
	forward := s.Forward
	if g.chance(20) {
		server.Forward = fsm.Forward(pick(g, forwards))
		forward = server.Forward
	}
	if forward == fsm.NAT && port != 0 && g.chance(50) {
		port = uint16(1 + g.IntN(65535))
	}
	server.Address = netip.AddrPortFrom(g.addr(v6, 150+n), port)
	return server
}

func (g generator) check(n int) fsm.Check {
	c := fsm.Check{
		Kind: fsm.CheckKind(pick(g, checkKinds)), Interval: time.Duration(50+g.IntN(100_000)) * time.Millisecond,
		Rise: 1 + g.IntN(4), Fall: 1 + g.IntN(4),
	}
	c.Timeout = max(timeoutPeriod.min, c.Interval/time.Duration(1+g.IntN(3))).Truncate(time.Millisecond)
	if c.Kind != fsm.CheckScript {
		c.Port = uint16(1 + g.IntN(65535))
	}
	switch c.Kind {
	case fsm.CheckHTTPS:
		if c.Insecure = g.chance(50); !c.Insecure && g.chance(50) {
			c.CA = strings.Repeat(testCA, 1+g.IntN(2))
		}
		fallthrough
	case fsm.CheckHTTP:
		c.Path = fmt.Sprintf("/%d?a=${b}&%%{c}", n)
		for k := range g.IntN(3) {
			c.Status = append(c.Status, 200+100*k)
		}
		c.Body = g.text()
		c.Host = pick(g, []string{"", "www.example.com", "192.0.2.1", "[2001:db8::1]:80"})
	case fsm.CheckSMTP:
		c.Host = pick(g, []string{"", "lb.example.com"})
	case fsm.CheckScript:
		c.Command = []string{"/bin/check"}
		for range g.IntN(3) {
			c.Command = append(c.Command, g.text())
		}
		c.User = pick(g, []string{"", "nobody", "_apt"})
	}
	return c
}

// text makes a text of the characters that a quoting has to take care of.
func (g generator) text() string {
	var b strings.Builder
	for range g.IntN(12) {
		b.WriteString(pick(g, []string{"a", " ", "$", "%", "{", "}", "$${", "%%{", "\"", "\\", "\n", "\r", "\t", "\x01", "\u00e9", "\u2028", "\U0001f600", "#", "//", "<<E", "~"}))
	}
	return b.String()
}
