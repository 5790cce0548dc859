package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// What a check of keepalived has where nothing is said.
const (
	defaultLoop    = 60 * time.Second
	defaultTimeout = 5 * time.Second
	defaultRetry   = 1
	defaultAgain   = time.Second
	httpAgain      = 3 * time.Second
)

// wording is how much of a script becomes what a check is told: its server's address, where it is general, and the words that are the port.
type wording struct {
	general bool
	ports   map[*checker]map[int]bool
}

// checks makes the checks of a service, and says what they come of. In keepalived each server has its own; here a service has
// one set, and what is not in it is told.
func (m *model) checks(v *virtualServer, s fsm.Service, real []*realServer) ([]fsm.Check, []source) {
	var (
		sets   [][]fsm.Check
		from   [][]source
		chosen int
		most   = -1
	)
	for _, words := range []wording{{}, {general: true}, {true, ownPorts(s, real)}} { // no more of a script than needs to be becomes what a check is told
		all, origins := make([][]fsm.Check, len(real)), make([][]source, len(real))
		for i, r := range real {
			origins[i] = m.set(v, s, r, s.Servers[i].Address, words)
			for _, one := range origins[i] {
				all[i] = append(all[i], one.check)
			}
		}
		i, n := likeliest(all)
		if n > most || words.general && words.ports == nil { // as they are said they have the address of one server, which is no other's
			sets, from, chosen, most = all, origins, i, n
		}
		if most == len(real) {
			break
		}
	}
	set, why := sets[chosen], fmt.Sprintf("it is unlike those of other servers; a service has one set of checks, that of %s", real[chosen].address)
	if have := slices.DeleteFunc(slices.Clone(sets), func(set []fsm.Check) bool { return len(set) == 0 }); len(have) > 0 && 2*most <= len(have) {
		if one, ok := connect(s, sets, chosen); ok {
			set, why = []fsm.Check{one}, "the checks of the servers are unlike; a service has one set of checks, and each server is asked for a connection"
		}
	}
	m.unlike(real, from, set, why)
	for _, c := range real[chosen].checks {
		m.slower(c, real[chosen], v)
	}
	return set, slices.Concat(from...)
}

// set makes the checks of one server.
func (m *model) set(v *virtualServer, s fsm.Service, r *realServer, at netip.AddrPort, words wording) []source {
	var all []source
	for _, c := range r.checks {
		if c.kind == "" {
			continue
		}
		p := c.inherited(r, v)
		one := fsm.Check{
			Kind: c.kind, Interval: max(50*time.Millisecond, min(24*time.Hour, p.loop)), Timeout: p.timeout, Rise: 1, Fall: min(100, p.retry+1),
		}
		one.Timeout = min(max(10*time.Millisecond, one.Timeout), one.Interval)
		m.paced(c, p, one)
		if c.kind != fsm.CheckScript {
			one.Port = cmp.Or(c.port, r.address.Port()) // which the table does not have if it forwards by address
			if one.Port == 0 && at.Port() != 0 {
				m.host.notes.Differs(c.Place, in(inServer, c.word), "it asks the service's port; keepalived asks port 0 of a server without one, and never finds it up")
			}
			if one.Port == at.Port() {
				one.Port = 0
			}
			if one.Port == 0 && at.Port() == 0 {
				m.host.notes.Instead(Dropped, c.Place, in(inServer, c.word), "it says no port, and neither do the service and its servers")
				continue
			}
		}
		for i, check := range m.fill(one, c, v, r, at, words) {
			from := source{c: c, check: check, asks: question(check), how: p}
			if c.kind == fsm.CheckHTTP || c.kind == fsm.CheckHTTPS {
				from.p = c.pages[i]
				from.host = cmp.Or(from.p.hostAt, c.hostAt, r.hostAt, v.hostAt)
			}
			all = append(all, from)
		}
	}
	return all
}

// paced tells where a check is made at other times than keepalived makes it, or counts other than there.
func (m *model) paced(c *checker, p probing, one fsm.Check) {
	n := m.host.notes
	if one.Interval != p.loop {
		n.Differs(c.Place, in(c.word, "delay_loop"), "`interval` is %s, and not %s: 50 ms to 24 h", one.Interval, p.loop)
	}
	if one.Fall <= p.retry {
		n.Differs(c.Place, in(c.word, "retry"), "`fall` is %d, the most that there is, and not %d", one.Fall, p.retry+1)
	}
	if c.kind != fsm.CheckTCP && c.kind != fsm.CheckScript {
		n.Differs(c.Place, in(c.word, "connect_timeout"), "`timeout` is that of the whole probe; keepalived waits as long for each of its steps")
	}
	if p.timeout <= one.Interval {
		return
	}
	limit := map[bool]string{false: "connect_timeout", true: "misc_timeout"}[c.kind == fsm.CheckScript]
	at := p.timeoutAt
	if at == (Place{}) {
		at = c.Place
	}
	n.Instead(Differs, at, in(c.word, limit), "`timeout` is the interval, %s, and not %s", one.Interval, p.timeout)
}

// fill sets what is of one kind.
func (m *model) fill(one fsm.Check, c *checker, v *virtualServer, r *realServer, at netip.AddrPort, words wording) []fsm.Check {
	switch c.kind {
	case fsm.CheckHTTP, fsm.CheckHTTPS:
		if len(c.pages) == 0 {
			m.host.notes.Instead(Dropped, c.Place, in(inServer, c.word), "it has no url, and keepalived leaves it out too")
			return nil
		}
		var all []fsm.Check
		for _, p := range c.pages {
			page := one
			page.Path, page.Body, page.Host, page.Insecure = p.path, p.body, first(p.host, c.host, r.host, v.host), c.kind == fsm.CheckHTTPS
			if p.negate {
				page.Body = ""
				if p.body != "" {
					m.host.notes.Instead(Dropped, p.bodyAt, "url regex", "with regex_no_match the body must not contain it")
				}
			}
			if ok := slices.Sorted(slices.Values(p.status)); len(ok) > 0 && !(len(ok) == 100 && ok[0] == 200 && ok[99] == 299) {
				page.Status = ok
			}
			all = append(all, page)
		}
		if c.kind == fsm.CheckHTTPS && !c.sni && slices.ContainsFunc(all, func(p fsm.Check) bool { return p.Host != "" }) {
			m.host.notes.Differs(c.Place, in(c.word, "enable_sni"), "it does not say it, and `host` is the TLS server name too")
		}
		if len(all) > 1 {
			m.host.notes.Differs(c.Place, in(c.word, "url"), "each page is fetched at every interval, not one after the other")
		}
		return all
	case fsm.CheckSMTP:
		one.Host = first(c.helo, "smtpchecker.keepalived.org")
		if c.hosts > 1 {
			m.host.notes.Dropped(c.Place, in(c.word, "host"), "of several hosts, the server itself is probed")
		}
	case fsm.CheckScript:
		one.User = m.user(c.user, c.Place, "MISC_CHECK user")
		var ok bool
		if one.Command, ok = m.script(c, at, words); !ok {
			m.host.notes.Instead(Dropped, c.Place, in(inServer, c.word), "it names no program, and keepalived leaves it out too")
			return nil
		}
	}
	return []fsm.Check{one}
}

// script makes the command of a check. A general one names the server by what a check is told, so that the
// same command does for all servers.
func (m *model) script(c *checker, at netip.AddrPort, words wording) ([]string, bool) {
	argv, shell := command(c.script)
	if len(argv) == 0 {
		return nil, false
	}
	if shell {
		m.host.notes.Differs(c.Place, "MISC_CHECK misc_path", "a shell runs it: it is no absolute path, or has more in it than words")
	}
	if words.general {
		argv, shell = generalized(argv, shell, at, words.ports[c])
	}
	if !c.dynamic {
		return argv, true
	}
	text := quoted(argv)
	if shell {
		text = argv[2]
	}
	return []string{"/bin/sh", "-c", strings.TrimPrefix(text, "exec ") + "; test $? -ne 1"}, true
}

// ownPorts returns which words of scripts are the port of the server: those that are each server's in its script of the same place.
func ownPorts(s fsm.Service, real []*realServer) map[*checker]map[int]bool {
	all := make(map[*checker]map[int]bool)
	var shared []map[int]bool // by the place of a script among those of a server
	for i, r := range real {
		nth := 0
		for _, c := range r.checks {
			if c.kind != fsm.CheckScript {
				continue
			}
			argv, _ := command(c.script)
			if nth == len(shared) {
				shared = append(shared, make(map[int]bool))
				for k := 1; k < len(argv); k++ {
					shared[nth][k] = true
				}
			}
			for k := range shared[nth] {
				if port := s.Servers[i].Address.Port(); k >= len(argv) || port == 0 || argv[k] != strconv.Itoa(int(port)) {
					delete(shared[nth], k)
				}
			}
			all[c] = shared[nth]
			nth++
		}
	}
	return all
}

// generalized puts what a check is told into the place of a server's own address, and port.
func generalized(argv []string, shell bool, at netip.AddrPort, ports map[int]bool) ([]string, bool) {
	addr := at.Addr().String()
	if shell {
		if len(argv) < 3 || !strings.Contains(argv[2], addr) {
			return argv, true
		}
		return []string{argv[0], argv[1], strings.ReplaceAll(argv[2], addr, "$QUORATE_SERVER_ADDRESS")}, true
	}
	var parts []string
	found := false
	for i, arg := range argv {
		switch {
		case i > 0 && strings.Contains(arg, addr):
			pieces := strings.Split(arg, addr)
			for k := range pieces {
				if pieces[k] != "" {
					pieces[k] = quoted([]string{pieces[k]})
				}
			}
			parts, found = append(parts, strings.Join(pieces, `"$QUORATE_SERVER_ADDRESS"`)), true
		case ports[i]:
			parts, found = append(parts, `"$QUORATE_SERVER_PORT"`), true
		default:
			parts = append(parts, quoted([]string{arg}))
		}
	}
	if !found {
		return argv, false
	}
	return []string{"/bin/sh", "-c", "exec " + strings.Join(parts, " ")}, true
}

// quoted writes words for a shell.
func quoted(argv []string) string {
	all := make([]string, len(argv))
	for i, arg := range argv {
		plain := arg != "" && !strings.ContainsFunc(arg, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%", r)
		})
		if all[i] = arg; !plain {
			all[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(all, " ")
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// inherited returns how a check probes, with what the server and the service say, and keepalived's defaults.
func (c *checker) inherited(r *realServer, v *virtualServer) probing {
	p := probing{loop: defaultLoop, timeout: defaultTimeout, retry: defaultRetry, again: defaultAgain}
	own := c.probing.over(r.probing).over(v.probing)
	switch c.kind {
	case fsm.CheckHTTP, fsm.CheckHTTPS:
		p.again = httpAgain
	case fsm.CheckScript:
		p.retry = 0
	}
	own = own.over(p)
	if c.kind == fsm.CheckScript {
		own.timeout, own.timeoutAt = own.loop, Place{}
		if c.limit > 0 {
			own.timeout, own.timeoutAt = c.limit, c.limitAt
		}
	}
	return own
}

// slower tells if a dead server is found later than keepalived would.
func (m *model) slower(c *checker, r *realServer, v *virtualServer) {
	if c.kind == "" {
		return
	}
	p := c.inherited(r, v)
	tries := time.Duration(min(100, p.retry+1))
	theirs := p.loop + (tries-1)*p.again + tries*p.timeout
	ours := tries*p.loop + min(p.timeout, p.loop)
	if tries > 1 && ours > theirs {
		as := (p.loop + (tries-1)*p.again) / tries
		m.host.notes.Differs(c.Place, in(c.word, "retry"), "a dead server is out after %s at most, with keepalived after %s; `interval = %q` would be as fast", ours, theirs, as.Round(100*time.Millisecond))
	}
}
