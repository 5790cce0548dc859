package director

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// TestConnectionsAtRiskAreCountedOnceAndSayWhy has a connection of each kind, and some that are none of anybody's any more.
func TestConnectionsAtRiskAreCountedOnceAndSayWhy(t *testing.T) {
	router := func(name, on string, vrid uint8, addresses ...string) *fsm.Router {
		r := &fsm.Router{Name: name, VRID: vrid, Interface: on}
		for _, a := range addresses {
			r.Addresses = append(r.Addresses, netip.MustParsePrefix(a))
		}
		return r
	}
	service := func(name, address string, servers ...string) *fsm.Service {
		svc := &fsm.Service{Name: name, Address: netip.MustParseAddrPort(address), Protocol: fsm.TCP, Checks: []fsm.Check{{Kind: fsm.CheckTCP}}}
		for _, s := range servers {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.MustParseAddrPort(s)})
		}
		return svc
	}
	web, mail := service("web", "192.0.2.1:80", "10.0.0.1:80", "10.0.0.2:80"), service("mail", "192.0.2.2:25", "10.0.0.1:80")
	marked := &fsm.Service{Name: "marked", Mark: 7, Servers: []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.3:80")}}}
	excluded := router("wan", "wan", 1, "192.0.2.1/24")
	excluded.Excluded = []netip.Prefix{netip.MustParsePrefix("192.0.2.3/24")}
	before := fsm.Config{
		Routers:  map[string]fsm.Router{"wan": *excluded, "other": *router("other", "wan", 2, "192.0.2.2/24")},
		Services: fsm.MapOf(map[string]fsm.Service{"web": *web, "mail": *mail, "marked": *marked}),
	}
	conn := func(virtual, real string, state uint16, n int) (all []ipvs.Conn) {
		for i := range n {
			all = append(all, ipvs.Conn{
				Protocol: ipvs.TCP, State: state, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), uint16(1000+i)),
				Virtual: netip.MustParseAddrPort(virtual), Real: netip.MustParseAddrPort(real),
			})
		}
		return all
	}
	const established, ends = 1, 4
	var conns []ipvs.Conn
	for _, c := range [][]ipvs.Conn{
		conn("192.0.2.1:80", "10.0.0.1:80", established, 3),
		conn("192.0.2.1:80", "10.0.0.2:80", established, 5),
		conn("192.0.2.2:25", "10.0.0.1:80", established, 7), // the real server of another service too
		conn("192.0.2.3:99", "10.0.0.3:80", established, 11),
		conn("192.0.2.1:80", "10.0.0.1:80", ends, 100),
	} {
		conns = append(conns, c...)
	}
	template := conns[0]
	template.Client = netip.AddrPortFrom(template.Client.Addr(), 0)
	conns = append(conns, template)
	for i := range conns {
		if conns[i].Virtual.Port() == 99 {
			conns[i].Mark = 7
		}
	}
	routers := func(by map[string]*fsm.Router) fsm.Delta { return fsm.Delta{Routers: by} }
	services := func(by map[string]*fsm.Service) fsm.Delta { return fsm.Delta{Services: by} }
	checked := service("web", "192.0.2.1:80", "10.0.0.1:80", "10.0.0.2:80")
	both := routers(map[string]*fsm.Router{"wan": nil, "other": nil})
	both.Services = map[string]*fsm.Service{"web": service("web", "192.0.2.1:80", "10.0.0.1:80"), "marked": nil}
	for _, tt := range []struct {
		name   string
		change fsm.Delta
		want   map[string]int
	}{
		{"nothing", fsm.Delta{}, map[string]int{}},
		{"a server goes", services(map[string]*fsm.Service{"web": service("web", "192.0.2.1:80", "10.0.0.2:80")}),
			map[string]int{"real server 10.0.0.1:80 is removed from service web": 3}},
		{"a server has to pass another check first", services(map[string]*fsm.Service{"web": checked}), map[string]int{
			"real server 10.0.0.1:80 of service web takes nothing until its checks have passed": 3,
			"real server 10.0.0.2:80 of service web takes nothing until its checks have passed": 5,
		}},
		{"a service goes", services(map[string]*fsm.Service{"web": nil, "marked": nil}),
			map[string]int{"service web is removed": 8, "service marked is removed": 11}},
		{"a service gets another address", services(map[string]*fsm.Service{"mail": service("mail", "192.0.2.1:25", "10.0.0.1:80")}),
			map[string]int{"service mail moves from tcp/192.0.2.2:25 to tcp/192.0.2.1:25": 7}},
		{"a router goes", routers(map[string]*fsm.Router{"wan": nil}), map[string]int{"router wan is removed": 19}},
		{"an address goes", routers(map[string]*fsm.Router{"wan": router("wan", "wan", 1, "192.0.2.1/24")}),
			map[string]int{"192.0.2.3 is taken from router wan": 11}},
		{"a router moves", routers(map[string]*fsm.Router{"other": router("other", "lan", 2, "192.0.2.2/24")}),
			map[string]int{"router other moves from interface wan to lan": 7}},
		{"an address moves", routers(map[string]*fsm.Router{"other": router("other", "wan", 2, "192.0.2.4/24"), "new": router("new", "lan", 3, "192.0.2.2/24")}),
			map[string]int{"192.0.2.2 moves from interface wan to lan": 7}},
		{"another VRID", routers(map[string]*fsm.Router{"other": router("other", "wan", 9, "192.0.2.2/24")}), map[string]int{}},
		{"another router in its place", routers(map[string]*fsm.Router{"other": nil, "new": router("new", "wan", 3, "192.0.2.2/24")}), map[string]int{}},
		{"servers and addresses", both, map[string]int{
			"real server 10.0.0.2:80 is removed from service web": 5, "service marked is removed": 11, "router wan is removed": 3, "router other is removed": 7,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := map[fsm.ServerKey]fsm.Verdict{{Service: "mail", Server: mail.Servers[0].Address}: {Health: fsm.Up}}
			if tt.change.Services["web"] != checked { // of which nothing is known afterwards
				for _, s := range web.Servers {
					up[fsm.ServerKey{Service: "web", Server: s.Address}] = fsm.Verdict{Health: fsm.Up}
				}
			}
			state := fsm.State{ClusterID: "c", Config: before, Verdicts: fsm.VerdictsOf(up)}
			have := Table(tt.change.Part(before), allServers)
			want := Table(tt.change.Puts(), func(svc fsm.Service) (reals []Real) {
				for _, r := range allServers(svc) {
					if len(svc.Checks) == 0 || state.Verdict(fsm.ServerKey{Service: svc.Name, Server: r.Address}).Health == fsm.Up {
						reals = append(reals, r)
					}
				}
				return reals
			})
			if got := lossesOf(have, want, &state, tt.change).count(conns); !maps.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestConnectionsToAServerWithoutAPortAreCounted goes by what the kernel has of a service by mark or of all ports: its real servers
// have no port, and the connections to them do.
func TestConnectionsToAServerWithoutAPortAreCounted(t *testing.T) {
	key := ipvs.Key{Protocol: ipvs.TCP, Address: addr("192.0.2.1:0")}
	conns := []ipvs.Conn{
		{Protocol: ipvs.TCP, Client: addr("198.51.100.1:1000"), Virtual: addr("192.0.2.1:80"), Real: addr("10.0.0.1:80"), State: 1},
		{Protocol: ipvs.TCP, Client: addr("198.51.100.2:1000"), Virtual: addr("192.0.2.1:443"), Real: addr("10.0.0.1:443"), State: 1},
		{Protocol: ipvs.TCP, Client: addr("198.51.100.3:1000"), Virtual: addr("192.0.2.1:80"), Real: addr("10.0.0.2:80"), State: 1},
	}
	for server, want := range map[string]int{"10.0.0.1:80": 1, "10.0.0.1:0": 2, "10.0.0.2:0": 1, "10.0.0.2:443": 0} {
		l := losses{reals: map[ipvs.Key]map[netip.AddrPort]string{key.Normalize(): {addr(server): "it goes"}}}
		if got := l.count(conns)["it goes"]; got != want {
			t.Errorf("through %s: %d, want %d", server, got, want)
		}
	}
}
