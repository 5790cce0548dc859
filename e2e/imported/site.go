package imported

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/e2e/lab"
)

// A site is two load balancers between an outer and an inner network, with two real servers.
type site struct {
	*lab.Article
}

// newSite draws the network, with all that the file tracks well. The second host has its cables the other way round.
func newSite(t lab.T) *site {
	t.Helper()
	n := lab.New(t)
	s := &site{&lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}}
	for i := range 2 {
		s.Servers = append(s.Servers, n.RealServer(fmt.Sprintf("rs%d", 1+i), s.Inner.At(fmt.Sprintf("192.168.2.%d/24", 11+i)), lab.InnerVIP))
	}
	s.Directors = []*lab.Director{
		n.Director("d1", s.Outer.At("192.168.1.2/24"), s.Inner.At("192.168.2.2/24")),
		n.Director("d2", s.Inner.At("192.168.2.3/24"), s.Outer.At("192.168.1.3/24")),
	}
	s.mail()
	for _, d := range s.Directors {
		d.Bind, d.Heartbeat = d.Addr(s.Inner).String(), "3s" // in the guest beside others that compute
		d.Interfaces = [][2]string{{"outside", d.Interface(s.Outer)}, {"inside", d.Interface(s.Inner)}, {uplink, uplink}}
		d.MustRun("ip", "link", "add", uplink, "type", "veth", "peer", "name", uplink+"p")
		d.MustRun("ip", "link", "set", uplink+"p", "up")
		s.well(d)
	}
	return s
}

// mail has the mail servers be well. Of a banner of several lines keepalived believes that it is none.
func (s *site) mail() {
	for _, rs := range s.Servers {
		rs.Set(lab.SMTP, lab.Mode{Brief: true})
	}
}

// uplink is a link that goes nowhere, which the file tracks.
const uplink = "uplink"

// checked is a file that a check of the file looks for.
const checked = "/run/checked"

// well has all that the file tracks on a host be well.
func (s *site) well(d *lab.Director) {
	d.MustRun("ip", "link", "set", uplink, "up")
	d.MustRun("sh", "-c", "touch /run/healthy "+checked+"; echo 0 >/run/spare")
}

// ill has all of it fail, but for the number, which makes the host the better one for what the number counts for.
func (s *site) ill(d *lab.Director) {
	d.MustRun("ip", "link", "set", uplink, "down")
	d.MustRun("sh", "-c", "rm /run/healthy; echo 100 >/run/spare")
}

// has are the tables and the addresses that the directors' kernels have from the file, a line each.
func (s *site) has() []string {
	var all []string
	for _, d := range s.Directors {
		lines := d.IPVS()
		for _, seg := range []*lab.Segment{s.Outer, s.Inner} {
			for _, p := range d.Addresses(d.Interface(seg)) {
				if !own(p) {
					lines = append(lines, "address "+p.String()+" "+seg.Name)
				}
			}
		}
		for _, v := range s.virtual(d) {
			for _, p := range d.Addresses(v.name) {
				if !own(p) {
					lines = append(lines, "address "+p.String()+" "+v.segment+" at "+v.mac)
				}
			}
		}
		for _, line := range lines {
			all = append(all, d.Name+": "+line)
		}
	}
	slices.Sort(all)
	return all
}

// kernels are the same with the routes and rules that the directors have from the file.
func (s *site) kernels() []string {
	all := s.has()
	for _, d := range s.Directors {
		all = append(all, s.routing(d)...)
	}
	return all
}

// A virtualInterface is one with a MAC address of its own, on that of a segment.
type virtualInterface struct{ name, segment, mac string }

// virtual are the virtual interfaces of a host. Who makes one names it.
func (s *site) virtual(d *lab.Director) []virtualInterface {
	segments := map[string]string{d.Interface(s.Outer): s.Outer.Name, d.Interface(s.Inner): s.Inner.Name}
	var all []virtualInterface
	for line := range strings.Lines(d.MustRun("ip", "-o", "link", "show", "type", "macvlan")) {
		if f := link.FindStringSubmatch(line); f != nil {
			all = append(all, virtualInterface{f[1], segments[f[2]], f[3]})
		}
	}
	return all
}

// link is the line of an interface on another: its name, the other's, and its MAC address.
var link = regexp.MustCompile(`^\d+: (\S+)@(\S+): .* link/ether (\S+)`)

// own tells whether an address is one that a host of the site has anyway.
func own(p netip.Prefix) bool {
	a := p.Addr().String()
	return slices.Contains([]string{"192.168.1.2", "192.168.1.3", "192.168.2.2", "192.168.2.3"}, a) ||
		p.Addr().IsLinkLocalUnicast() && a != "fe80::1:1"
}

// by is what a program writes about itself in a route or a rule.
var by = regexp.MustCompile(` (proto|metric) \S+`)

// routing are the routes and rules of the file that a host has. Interfaces are named as their networks.
func (s *site) routing(d *lab.Director) []string {
	out := d.MustRun("sh", "-c", "ip route show table all; ip rule show")
	named := strings.NewReplacer(d.Interface(s.Outer), "outer", d.Interface(s.Inner), "inner")
	var lines []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "10.77.") || strings.Contains(line, "10.78.") || strings.Contains(line, "10.66.") {
			lines = append(lines, d.Name+": "+strings.Join(strings.Fields(named.Replace(by.ReplaceAllString(line, ""))), " "))
		}
	}
	slices.Sort(lines)
	return lines
}
