package ldirectord

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// Result is what came of an import.
type Result struct {
	File   []byte     // the cluster file
	Config fsm.Config // the same as a model
	Notes  []imported.Note
}

// importer reads one file.
type importer struct {
	notes    imported.Notes
	global   *section
	services []*section
	idle     map[imported.Place]imported.Loss // lines of which it was said why nothing comes of them
}

// maxServers bounds what a range of servers can come to.
const maxServers = 4096

// Import turns a configuration of ldirectord into a cluster file.
func Import(filename string, src []byte) Result {
	in := &importer{idle: make(map[imported.Place]imported.Loss), global: newSection(imported.Place{File: filename, Line: 1})}
	in.lines(filename, string(src))
	var c fsm.Config
	places := make(map[string]imported.Place)
	var order []string
	var made []fsm.Service
	var names [][]string
	var at []imported.Place
	var of []*section
	for _, s := range in.services {
		if one, ok := in.service(s); ok {
			made, names, at = append(made, one), append(names, s.names(one)), append(at, s.Place)
			of = append(of, s)
		} else {
			in.lose(s)
		}
	}
	for i, name := range imported.Shortest(names) {
		made[i].Name = name
		c.Services, places[name] = c.Services.With(name, made[i]), at[i]
		order = append(order, name)
	}
	in.prune(&c, places)
	for i, s := range of {
		if !c.Services.Has(made[i].Name) {
			in.lose(s)
		}
	}
	in.notes.Lose(in.idle)
	return Result{write(filename, c, order), config.WithDefaults(c), in.notes.Sorted()}
}

// lose takes back that lines are carried over whose service is not.
func (in *importer) lose(s *section) {
	if !in.notes.Missed(s.Place, "virtual") {
		in.notes.Dropped(s.Place, "virtual", "no service comes of it")
	}
	lost := map[imported.Place]imported.Loss{s.Place: {}} // the reason is there
	for _, at := range s.lines {
		lost[at] = imported.Loss{Text: "it goes with its virtual service"}
	}
	in.notes.Lose(lost)
}

func newSection(at imported.Place) *section {
	return &section{Place: at, values: make(map[string]string), places: make(map[string]imported.Place)}
}

// lines reads the lines: those that are indented belong to the virtual service above.
func (in *importer) lines(filename, src string) {
	table := known()
	current := in.global
	for i, text := range strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n") {
		at := imported.Place{File: filename, Line: i + 1}
		bare := strings.TrimSpace(uncommented(text))
		if bare == "" {
			continue
		}
		name, value, ok := strings.Cut(bare, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		d := table[name]
		if !ok || d == nil {
			in.notes.Dropped(at, name, "ldirectord has no such line")
			continue
		}
		indented := text[0] == ' ' || text[0] == '\t'
		isService := name == "virtual" || name == "virtual6"
		switch {
		case isService:
			current = newSection(at)
			current.target, current.ipv6 = value, name == "virtual6"
			in.services = append(in.services, current)
		case indented && current == in.global:
			in.notes.Dropped(at, name, "it is indented, and there is no virtual service above")
			continue
		case !indented:
			current = in.global
		}
		in.notes.Add(d.fate, at, name, d.text)
		if !isService {
			current.lines = append(current.lines, at)
		}
		switch name {
		case "virtual", "virtual6":
		case "real", "real6":
			current.servers = append(current.servers, line{at, value})
		case "fallback":
			current.backup = &line{at, value}
		case "fallback6":
			current.backup6 = &line{at, value}
		default:
			current.values[name], current.places[name] = unquoted(value), at
		}
	}
}

// uncommented returns a line without its comment.
func uncommented(text string) string {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '#' && !quoted && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return text[:i]
		}
	}
	return text
}

func unquoted(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// prune takes out what a cluster file cannot say, and tells why.
func (in *importer) prune(c *fsm.Config, places map[string]imported.Place) {
	for range maxServers {
		errs := config.Validate(config.WithDefaults(*c)).Errors()
		if len(errs) == 0 {
			return
		}
		for _, e := range errs {
			rest := strings.TrimPrefix(e.Path, `services["`)
			name, part, _ := strings.Cut(rest, `"]`)
			s, ok := c.Services.Lookup(name)
			if !ok {
				continue
			}
			in.notes.Dropped(places[name], "virtual", "%s", e.Text)
			if !cut(&s, part) {
				c.Services = c.Services.Without(name)
				break
			}
			c.Services = c.Services.With(name, s)
			break
		}
	}
	c.Services = fsm.Map[fsm.Service]{} // never reached: each round takes something out
}

// cut takes a server or a check out of a service.
func cut(s *fsm.Service, part string) bool {
	number := func(field string) int {
		rest, ok := strings.CutPrefix(part, field+"[")
		if !ok {
			return -1
		}
		digits, _, _ := strings.Cut(rest, "]")
		n, err := strconv.Atoi(digits)
		if err != nil {
			return -1
		}
		return n
	}
	if n := number(".servers"); n >= 0 && n < len(s.Servers) && len(s.Servers) > 1 {
		s.Servers = append(append([]fsm.Server(nil), s.Servers[:n]...), s.Servers[n+1:]...)
		return true
	}
	if n := number(".checks"); n >= 0 && n < len(s.Checks) {
		s.Checks = append(append([]fsm.Check(nil), s.Checks[:n]...), s.Checks[n+1:]...)
		return true
	}
	if strings.HasPrefix(part, ".fallback") && s.Fallback != nil {
		s.Fallback = nil
		return true
	}
	return false
}

// write prints the cluster file, services in the order of the file.
func write(filename string, c fsm.Config, order []string) []byte {
	out := []byte("# From ldirectord's configuration " + strconv.Quote(filename) + ", by `quorate import ldirectord`.\n")
	for _, name := range order {
		if s, ok := c.Services.Lookup(name); ok {
			out = append(append(out, '\n'), config.Format(fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{name: s})})...)
		}
	}
	return out
}

// names are what a service could be called.
func (s *section) names(one fsm.Service) []string {
	var all []string
	if name := s.values["servicename"]; name != "" {
		all = append(all, imported.Named(name))
	}
	if one.Mark != 0 {
		return append(all, "mark-"+strconv.FormatUint(uint64(one.Mark), 10))
	}
	return append(all, imported.ServiceNames(one.Address, string(one.Protocol))...)
}

// endpoint reads ADDRESS:PORT, ADDRESS, or the same with brackets. The port is 0 where there is none.
func endpoint(s string) (netip.AddrPort, bool) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p, p.Addr().Zone() == ""
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return netip.AddrPortFrom(a, 0), err == nil && a.Zone() == ""
}
