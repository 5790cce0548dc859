package ldirectord

import (
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// byPort is what a service is on a port, where nothing is said.
var byPort = map[uint16]string{
	21: "ftp", 25: "smtp", 53: "dns", 80: "http", 110: "pop", 119: "nntp", 143: "imap", 389: "ldap", 443: "https", 587: "submission", 636: "ldaps",
	993: "imaps", 995: "pops", 1521: "oracle", 1812: "radius", 3128: "http_proxy", 3306: "mysql", 5432: "pgsql", 5060: "sip",
}

// checks makes the check of a service, which is one for all of its servers.
func (in *importer) checks(v *section, s fsm.Service, pairs []pair) []fsm.Check {
	place, ok := v.places["checktype"]
	if !ok {
		place = v.Place
	}
	kind := v.value(in.global, "checktype")
	one := in.schedule(v, kind)
	if n, ok := in.number(v, "checkport", 1, 65535); ok && uint16(n) != s.Address.Port() {
		one.Port = uint16(n)
	}
	udp := s.Protocol == fsm.UDP
	switch _, err := strconv.Atoi(kind); {
	case kind == "on":
		in.notes.Instead(imported.Carried, place, "checktype", "none: its servers count as up always")
		return nil
	case kind == "external" || kind == "external-perl":
		return in.external(v, s, one)
	case kind == "ping" || kind == "connect" && udp:
		in.notes.Instead(imported.Dropped, place, "checktype", "there is no ping check: its servers count as up always; a `check \"script\"` can run ping")
		return nil
	case kind == "connect":
		one.Kind = fsm.CheckTCP
	case err == nil:
		in.notes.Differs(place, "checktype", "%s: each check negotiates, none only connects", kind)
		return in.negotiate(v, s, one, pairs, udp)
	default:
		return in.negotiate(v, s, one, pairs, udp)
	}
	return []fsm.Check{one}
}

// schedule sets when a check is made, and how its results count.
func (in *importer) schedule(v *section, kind string) fsm.Check {
	one := fsm.Check{Interval: 10 * time.Second, Rise: 1, Fall: 1}
	if n, ok := in.number(v, "checkinterval", 1, 86400); ok {
		one.Interval = time.Duration(n) * time.Second
	}
	if n, ok := in.number(v, "failurecount", 1, 100); ok {
		one.Fall = n
	}
	names, timeout := []string{"negotiatetimeout", "checktimeout"}, 30
	if kind == "connect" || kind == "external" || kind == "external-perl" {
		names, timeout = []string{"checktimeout", "negotiatetimeout"}, 5
	}
	for _, name := range names {
		if n, ok := in.number(v, name, 1, 86400); ok {
			timeout = n
			break
		}
	}
	one.Timeout = time.Duration(timeout) * time.Second
	if one.Timeout > one.Interval {
		in.notes.Differs(v.Place, "checktimeout", "`timeout` is the interval, %s, and not %s", one.Interval, one.Timeout)
		one.Timeout = one.Interval
	}
	return one
}

// external makes a check of a program, which is told what ldirectord tells it.
func (in *importer) external(v *section, s fsm.Service, one fsm.Check) []fsm.Check {
	command := v.values["checkcommand"]
	if command == "" {
		in.notes.Carried(v.Place, "checkcommand", "none: /bin/true passes always")
		return nil
	}
	target, port := s.Address.Addr().String(), strconv.Itoa(int(s.Address.Port()))
	if s.Mark != 0 {
		target, port = strconv.FormatUint(uint64(s.Mark), 10), "0"
	}
	one.Kind, one.Port = fsm.CheckScript, 0
	one.Command = []string{"/bin/sh", "-c", "exec " + command + " " + target + " " + port + ` "$QUORATE_SERVER_ADDRESS" "$QUORATE_SERVER_PORT"`}
	one.User = "root"
	in.notes.Differs(v.places["checkcommand"], "checkcommand", "`user = \"root\"`: ldirectord runs it as that")
	return []fsm.Check{one}
}

// negotiate makes a check that speaks the service's protocol, or at least connects.
func (in *importer) negotiate(v *section, s fsm.Service, one fsm.Check, pairs []pair, udp bool) []fsm.Check {
	place, ok := v.places["service"]
	if !ok {
		place = v.Place
	}
	service := v.values["service"]
	if service == "" {
		service = byPort[s.Address.Port()]
	}
	switch service {
	case "http", "https":
		in.page(v, &one, pairs, service)
	case "smtp", "submission":
		one.Kind = fsm.CheckSMTP
	case "none", "":
		in.notes.Carried(place, "service", "none: its servers count as up always")
		return nil
	default:
		if udp {
			in.notes.Dropped(place, "service", "there is no check of %s: its servers count as up always; a `check \"script\"` can speak it", service)
			return nil
		}
		in.notes.Differs(place, "service", "there is no check of %s: a `check \"tcp\"` connects", service)
		one.Kind = fsm.CheckTCP
	}
	if s.Mark != 0 && one.Port == 0 {
		in.notes.Dropped(place, "service", "it says no checkport, and the servers of a mark have no port")
		return nil
	}
	return []fsm.Check{one}
}

// page sets what is fetched.
func (in *importer) page(v *section, one *fsm.Check, pairs []pair, service string) {
	one.Kind, one.Insecure = fsm.CheckHTTP, service == "https"
	if one.Insecure {
		one.Kind = fsm.CheckHTTPS
		in.notes.Carried(v.Place, "service", "`insecure`: ldirectord verifies no certificate")
	}
	request, receive := v.values["request"], v.values["receive"]
	for i, p := range pairs {
		if i == 0 && p.request != "" {
			request, receive = p.request, p.receive
		}
		if p.request != pairs[0].request || p.receive != pairs[0].receive {
			in.notes.Differs(p.at, "real", "its request is unlike the first server's; a service has one check for all")
		}
	}
	one.Path, one.Host = "/"+strings.TrimLeft(request, "/"), v.values["virtualhost"]
	if strings.HasPrefix(request, "http://") || strings.HasPrefix(request, "https://") {
		_, rest, _ := strings.Cut(request, "://")
		host, path, _ := strings.Cut(rest, "/")
		one.Path = "/" + path
		if one.Host == "" {
			one.Host = host
		}
		in.notes.Differs(v.Place, "request", "the server itself is asked for the page")
	}
	if strings.ContainsAny(receive, `\^$.|?*+()[]{}`) {
		at, ok := v.places["receive"]
		if !ok {
			at = v.Place // a server's own line has it
		}
		in.notes.Instead(imported.Dropped, at, "receive", "%q is more than a text that the body must contain", receive)
		return
	}
	one.Body = receive
}
