package keepalived

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// write prints the cluster file: each sync group with its routers behind it, then tracks, then services, as
// the files had them. Short, it says what is in many places once.
func (p *pair) write(short bool) []byte {
	m := p.base
	var b strings.Builder
	fmt.Fprintf(&b, "# From keepalived's configuration of %s, by `quorate import keepalived`.\n", strings.Join(p.names(), " and "))
	for _, line := range p.agents {
		b.WriteString("# " + line + "\n")
	}
	written := make(map[string]bool)
	router := func(name string) {
		if !written[name] {
			written[name] = true
			b.WriteString("\n" + p.remark(name))
			b.Write(config.Format(fsm.Config{Routers: map[string]fsm.Router{name: m.config.Routers[name]}}))
		}
	}
	for _, t := range m.order {
		if t.kind != config.KindSyncGroup {
			continue
		}
		g := m.config.SyncGroups[t.name]
		b.WriteString("\n" + p.remark(t.name))
		b.Write(config.Format(fsm.Config{SyncGroups: map[string]fsm.SyncGroup{t.name: g}}))
		for _, name := range g.Routers {
			router(name)
		}
	}
	for _, t := range m.order {
		if t.kind == config.KindRouter {
			router(t.name)
		}
	}
	for _, t := range m.order {
		if t.kind == config.KindTrack {
			b.WriteString("\n")
			b.Write(config.Format(fsm.Config{Tracks: map[string]fsm.Track{t.name: m.config.Tracks[t.name]}}))
		}
	}
	p.writeServices(&b, short)
	return []byte(b.String())
}

// names are the hosts'.
func (p *pair) names() []string {
	var all []string
	for _, h := range p.hosts {
		all = append(all, h.name)
	}
	return all
}

// remark is the comment above a group.
func (p *pair) remark(group string) string {
	if text := p.remarks[group]; text != "" {
		return "# " + text + "\n"
	}
	return ""
}

func (p *pair) writeServices(b *strings.Builder, short bool) {
	var names []string
	for _, t := range p.base.order {
		if t.kind == config.KindService {
			names = append(names, t.name)
		}
	}
	for len(names) > 0 {
		n := 1
		text := ""
		if short {
			n, text = p.many(names)
		}
		if n == 1 {
			s := p.base.config.Services.Of(names[0])
			text = string(config.Format(alone(s)))
		}
		if short {
			text = ranges(text)
		}
		b.WriteString("\n" + text)
		names = names[n:]
	}
}

// alone is a configuration of one service.
func alone(s fsm.Service) fsm.Config {
	return fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{s.Name: s})}
}

// many writes services that differ in their addresses alone as one with for_each, and returns how many.
func (p *pair) many(names []string) (int, string) {
	plain := func(s fsm.Service) string {
		return fmt.Sprintf("%d %v %v", s.Address.Port(), withoutAddress(s), s.Fallback)
	}
	first := p.base.config.Services.Of(names[0])
	name, ok := strings.CutSuffix(first.Name, "-"+first.Address.Addr().String())
	if !ok || !first.Address.Addr().Is4() {
		return 1, ""
	}
	n := 0
	var quoted []string
	for _, other := range names {
		s := p.base.config.Services.Of(other)
		if s.Name != name+"-"+s.Address.Addr().String() || plain(s) != plain(first) {
			break
		}
		quoted = append(quoted, strconv.Quote(s.Address.Addr().String()))
		n++
	}
	if n < 3 {
		return 1, ""
	}
	first.Name = name
	text := string(config.Format(alone(first)))
	address := "each.value"
	if port := first.Address.Port(); port != 0 {
		address = fmt.Sprintf("endpoint(each.value, %d)", port)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		key, _, ok := strings.Cut(line, "= ")
		if ok && strings.TrimSpace(key) == "address" {
			pad := strings.Repeat(" ", max(1, len(key)-2-len("for_each")))
			lines[i] = "  for_each" + pad + "= [" + strings.Join(quoted, ", ") + "]\n" + key + "= " + address
			break
		}
	}
	return n, strings.Join(lines, "\n")
}

// withoutAddress is all of a service but what it is called and where it is.
func withoutAddress(s fsm.Service) string {
	s.Name, s.Fallback = "", nil
	text := fmt.Sprintf("%+v", s)
	return strings.Replace(text, s.Address.String(), "", 1)
}

var statusLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(\s*status\s*= )\[([0-9, ]+)\]$`)
})

// ranges writes long lists of statuses as ranges.
func ranges(text string) string {
	return statusLine().ReplaceAllStringFunc(text, func(line string) string {
		m := statusLine().FindStringSubmatch(line)
		words := strings.Split(m[2], ", ")
		if len(words) < 10 {
			return line
		}
		var parts, single []string
		flush := func() {
			if len(single) > 0 {
				parts = append(parts, "["+strings.Join(single, ", ")+"]")
			}
			single = nil
		}
		for len(words) > 0 {
			start, _ := strconv.Atoi(words[0])
			n := 1
			for n < len(words) && words[n] == strconv.Itoa(start+n) {
				n++
			}
			if n >= 4 {
				flush()
				parts = append(parts, fmt.Sprintf("range(%d, %d)", start, start+n))
			} else {
				single = append(single, words[:n]...)
			}
			words = slices.Clone(words[n:])
		}
		flush()
		if len(parts) == 1 {
			return m[1] + parts[0]
		}
		return m[1] + "concat(" + strings.Join(parts, ", ") + ")"
	})
}
