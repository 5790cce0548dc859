package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// Addresses of the services that are forwarded. Real servers of direct routing and tunnels have their
// services' addresses too, so these are not the addresses by which the owner is known.
const (
	directVIP = "192.168.1.41"
	tunnelVIP = "192.168.1.42"
	markVIP   = "192.168.1.43"
	v6VIP     = "2001:db8:1::1"
)

// forwardingFile has a service for each method of forwarding, each with a check.
const forwardingFile = `sync_group "gateway" { routers = ["outside", "inside"] }
router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24", "192.168.1.41/24", "192.168.1.42/24", "192.168.1.43/24"]
}
router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
}
service "nat" {
  address   = "192.168.1.1:8080"
  scheduler = "rr"
  forward   = "nat"
  check "tcp" {}
  server "192.168.2.11:80" {}
  server "192.168.2.12:80" {}
}
service "mark" {
  mark      = 7
  scheduler = "rr"
  forward   = "nat"
  check "http" { port = 80 }
  server "192.168.2.11" {}
  server "192.168.2.12" {}
}
service "direct" {
  address   = "192.168.1.41:80"
  scheduler = "rr"
  forward   = "direct"
  check "tcp" {}
  server "192.168.1.51:80" {}
  server "192.168.1.52:80" {}
}
service "tunnel" {
  address   = "192.168.1.42:80"
  scheduler = "rr"
  forward   = "tunnel"
  check "tcp" {}
  server "192.168.1.51:80" {}
  server "192.168.1.52:80" {}
}
service "v6" {
  address   = "[2001:db8:1::1]:8080"
  scheduler = "rr"
  forward   = "nat"
  check "tcp" {}
  server "[2001:db8:2::11]:80" {}
  server "[2001:db8:2::12]:80" {}
}
`

func TestRequestsFlowByEveryWayOfForwarding(t *testing.T) {
	run(t, 1, "", "", func(t lab.T, a *lab.Article) {
		outer := []*lab.RealServer{
			a.RealServer("rs4", a.Outer.At("192.168.1.51/24"), ""),
			a.RealServer("rs5", a.Outer.At("192.168.1.52/24"), ""),
		}
		addressV6(a)
		a.Apply(forwardingFile)
		owner := a.AwaitOwner(t, ownedWithin, lab.OuterVIP)
		owner.MustRun("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-d", markVIP, "-p", "tcp", "--dport", "80", "-j", "MARK", "--set-mark", "7")
		lab.Eventually(t, 15*time.Second, "all servers are up", func() error { return sameTables(a, 10) })
		forwardedAs(t, a)

		c := client{t, a}
		c.reaches("NAT", lab.OuterVIP+":8080", "rs1", "rs2")
		c.reaches("NAT by mark", markVIP+":80", "rs1", "rs2")
		c.reaches("NAT of IPv6", "["+v6VIP+"]:8080", "rs1", "rs2")

		c.reachesNobody("direct routing to servers without the address", directVIP+":80")
		for _, rs := range outer {
			direct(rs)
		}
		c.reaches("direct routing", directVIP+":80", "rs4", "rs5")

		c.reachesNobody("a tunnel to servers without its other end", tunnelVIP+":80")
		for _, rs := range outer {
			tunnel(rs)
		}
		c.reaches("tunnel", tunnelVIP+":80", "rs4", "rs5")
		for _, rs := range outer {
			text := strings.TrimSpace(rs.MustRun("cat", "/sys/class/net/tunl0/statistics/rx_packets"))
			if n, err := strconv.Atoi(text); err != nil || n < 4 {
				t.Errorf("%s: %s packets came through the tunnel", rs.Name, text)
			}
		}
	})
}

// addressV6 gives static IPv6 addresses to the director, the client and the real servers.
func addressV6(a *lab.Article) {
	a.Directors[0].MustRun("sh", "-ec", "ip addr add "+v6VIP+"/64 dev eth0; ip addr add 2001:db8:2::1/64 dev eth1")
	a.Client.MustRun("ip", "addr", "add", "2001:db8:1::100/64", "dev", "eth0")
	for i, rs := range a.Servers {
		rs.MustRun("sh", "-ec", fmt.Sprintf("ip addr add 2001:db8:2::1%d/64 dev eth0; ip -6 route add default via 2001:db8:2::1", i+1))
	}
}

// forwardedAs holds that ipvsadm sees the methods: m for NAT, g for direct routing, i for a tunnel.
func forwardedAs(t lab.T, a *lab.Article) {
	t.Helper()
	table := strings.Join(a.Directors[0].IPVS(), "\n")
	for _, want := range []string{
		"-a -t 192.168.1.1:8080 -r 192.168.2.11:80 -m -w 1",
		"-a -f 7 -r 192.168.2.11:0 -m -w 1",
		"-a -t 192.168.1.41:80 -r 192.168.1.51:80 -g -w 1",
		"-a -t 192.168.1.42:80 -r 192.168.1.51:80 -i -w 1",
		"-a -t [2001:db8:1::1]:8080 -r [2001:db8:2::11]:80 -m -w 1",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

// noARP keeps a host silent about addresses of its loopback, as real servers must be that hold the
// address of their service.
const noARP = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce\n"

// direct makes a real server fit for direct routing.
func direct(rs *lab.RealServer) {
	rs.MustRun("sh", "-ec", noARP+"ip addr add "+directVIP+"/32 dev lo")
}

// tunnel makes a real server the other end of a tunnel.
func tunnel(rs *lab.RealServer) {
	rs.MustRun("sh", "-ec", noARP+"ip link show tunl0 >/dev/null 2>&1 || ip tunnel add tunl0 mode ipip\n"+
		"ip addr add "+tunnelVIP+"/32 dev tunl0; ip link set tunl0 up; echo 0 >/proc/sys/net/ipv4/conf/tunl0/rp_filter")
}

// reaches holds that requests are answered, by these servers and in equal shares.
func (c client) reaches(what, to string, want ...string) {
	c.t.Helper()
	var got []string
	for range 3 * len(want) {
		server, err := c.try(to)
		if err != nil {
			c.t.Errorf("%s: %v", what, err)
			return
		}
		got = append(got, server)
	}
	n := tally(got)
	for _, server := range want {
		if n[server] != 3 {
			c.t.Errorf("%s: requests are answered by %v", what, n)
			return
		}
	}
	c.t.Logf("%s: requests are answered by %v", what, n)
}

// reachesNobody holds that a request is not answered: where it were, what follows would prove nothing.
func (c client) reachesNobody(what, to string) {
	c.t.Helper()
	server, err := c.try(to)
	if err == nil {
		c.t.Errorf("%s: %s answers", what, server)
		return
	}
	c.t.Logf("as it must, %s: %v", what, err)
}

// try makes one request on a connection of its own.
func (c client) try(to string) (string, error) {
	conn, err := c.dial("tcp", "", to)
	if err != nil {
		return "", err
	}
	server, err := get(conn)
	return server, errors.Join(err, conn.Close())
}
