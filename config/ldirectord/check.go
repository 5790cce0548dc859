package ldirectord

import (
	"cmp"
	"slices"
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
	service := v.values["service"]
	if service == "" {
		service = byPort[s.Address.Port()]
	}
	udp := s.Protocol == fsm.UDP
	switch _, err := strconv.Atoi(kind); {
	case kind == "on":
		in.notes.Instead(imported.Carried, place, "checktype", "none: its servers count as up always")
		return nil
	case kind == "external" || kind == "external-perl":
		return in.external(v, s, one, place)
	case kind == "ping" || kind == "connect" && udp:
		in.notes.Instead(imported.Dropped, place, "checktype", "there is no ping check: its servers count as up always; a `check \"script\"` can run ping")
		return nil
	case kind == "connect":
		one.Kind = fsm.CheckTCP
	default:
		if err == nil {
			in.notes.Instead(imported.Differs, place, "checktype", "%s: each check negotiates, none only connects", kind)
		}
		if !in.negotiate(v, &one, service, pairs, udp) {
			return nil
		}
	}
	if !in.port(v, &one, s, service, pairs) {
		in.notes.Instead(imported.Dropped, place, "checktype", "neither checkport nor the servers of the mark say a port: they count as up always")
		return nil
	}
	return []fsm.Check{one}
}

// unasked tells of what is said of a page if none is fetched.
func (in *importer) unasked(v *section, made []fsm.Check) {
	if slices.ContainsFunc(made, func(c fsm.Check) bool { return c.Kind == fsm.CheckHTTP || c.Kind == fsm.CheckHTTPS }) {
		return
	}
	for _, name := range []string{"request", "receive", "virtualhost"} {
		if at, ok := v.places[name]; ok {
			in.notes.Instead(imported.Dropped, at, name, "its check fetches no page")
		}
	}
}

// port sets which port of the servers is asked: the check's, else that of a server's line, else that of the protocol
// that is spoken. It may be another than the table has. It returns false if nothing says one.
func (in *importer) port(v *section, one *fsm.Check, s fsm.Service, service string, pairs []pair) bool {
	fixed, _ := in.number(v, "checkport", 1, 65535)
	want := make([]uint16, len(pairs))
	asTable := true
	for i, p := range pairs {
		want[i] = cmp.Or(uint16(fixed), p.port, portOf(service), s.Servers[i].Address.Port())
		asTable = asTable && want[i] == s.Servers[i].Address.Port()
	}
	switch {
	case want[0] == 0:
		return false
	case !asTable:
		one.Port = want[0]
	}
	for i, p := range pairs {
		if !asTable && want[i] != want[0] {
			in.notes.Differs(p.at, "real", "it is asked at the first server's port, %d, and not at %d; a service has one check for all", want[0], want[i])
		}
	}
	return true
}

// portOf returns the port that a service has by custom, or 0.
func portOf(service string) uint16 {
	for port, name := range byPort {
		if name == service {
			return port
		}
	}
	return 0
}

// schedule sets when a check is made, and how its results count.
func (in *importer) schedule(v *section, kind string) fsm.Check {
	one := fsm.Check{Interval: 10 * time.Second, Rise: 1, Fall: 1}
	pace := v
	if at, ok := v.places["checkinterval"]; ok && in.global.values["fork"] != "yes" {
		in.notes.Instead(imported.Carried, at, "checkinterval", "nothing: ldirectord ignores it here without `fork = yes`")
		pace = in.global
	}
	if n, ok := in.number(pace, "checkinterval", 1, 86400); ok {
		one.Interval = time.Duration(n) * time.Second
	}
	if n, ok := in.number(v, "failurecount", 1, 100); ok {
		one.Fall = n
	}
	names, timeout := []string{"negotiatetimeout", "checktimeout"}, 30
	if kind == "connect" || kind == "external" || kind == "external-perl" {
		names, timeout = []string{"checktimeout", "negotiatetimeout"}, 5
	}
	from := v
	if v.values["checktimeout"] == "" && v.values["negotiatetimeout"] == "" {
		from = in.global // either of its own goes before those
	}
	for _, name := range names {
		if from.values[name] == "" {
			continue
		}
		if n, ok := in.number(from, name, 1, 86400); ok {
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

// external makes a check of a program, which is told what ldirectord tells it; checktype is said at place.
func (in *importer) external(v *section, s fsm.Service, one fsm.Check, place imported.Place) []fsm.Check {
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
	if v.value(in.global, "checktype") == "external-perl" {
		in.notes.Differs(place, "checktype", "external-perl: its file is run as a program, and has to be one")
	}
	return []fsm.Check{one}
}

// negotiate sets that a check speaks the service's protocol, or at least connects. It returns false if there is no check.
func (in *importer) negotiate(v *section, one *fsm.Check, service string, pairs []pair, udp bool) bool {
	place, ok := v.places["service"]
	if !ok {
		place = v.Place
	}
	switch {
	case service == "http" || service == "https":
		in.page(v, one, pairs, service)
	case service == "smtp" || service == "submission":
		one.Kind = fsm.CheckSMTP
	case service == "none" || service == "":
		in.notes.Carried(place, "service", "none: its servers count as up always")
		return false
	case udp:
		in.notes.Instead(imported.Dropped, place, "service", "there is no check of %s: its servers count as up always; a `check \"script\"` can speak it", service)
		return false
	default:
		in.notes.Instead(imported.Differs, place, "service", "there is no check of %s: a `check \"tcp\"` connects", service)
		one.Kind = fsm.CheckTCP
	}
	return true
}

// page sets what is fetched.
func (in *importer) page(v *section, one *fsm.Check, pairs []pair, service string) {
	one.Kind, one.Insecure = fsm.CheckHTTP, service == "https"
	if one.Insecure {
		one.Kind = fsm.CheckHTTPS
		in.notes.Differs(v.Place, "service", "`insecure`: ldirectord looks at no name in a certificate, and who signed it is looked at by some versions of its Perl modules alone")
	}
	in.notes.Differs(v.Place, "service", "a redirect fails; ldirectord follows it, and takes the answer there")
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
