package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Format prints a configuration as a cluster file: sync groups, routers, tracks and services by name,
// keys in a fixed order, most defaults left out. [ParseCluster] reads it back as the same configuration,
// provided that [Validate] found nothing wrong with it. It prints the keys of routers that it is given.
func Format(c fsm.Config) []byte {
	w := new(writer)
	for name, g := range sorted(c.SyncGroups) {
		w.thing(groupAttrs(g), groupBlocks(g), "sync_group", name)
	}
	for name, r := range sorted(c.Routers) {
		w.thing(routerAttrs(r), routerBlocks(r), "router", name)
	}
	for name, t := range sorted(c.Tracks) {
		w.thing(trackAttrs(t), nil, "track", string(t.Kind), name)
	}
	for name, s := range c.Services.All() {
		w.service(name, s)
	}
	return w.Bytes()
}

// writer builds HCL in the layout of hclfmt.
type writer struct{ bytes.Buffer }

// thing writes a block with blocks in it, those of more than a line with empty lines around them.
func (w *writer) thing(all []attr, parts []block, kind string, labels ...string) {
	w.open(0, kind, labels...)
	w.attrs(1, all)
	gap := len(parts) > 0
	for _, p := range parts {
		long := len(shownAttrs(p.attrs)) > 1
		if gap || long {
			w.WriteByte('\n')
		}
		if p.kind == KindRule {
			w.small(p.attrs, string(p.kind))
		} else {
			w.small(p.attrs, string(p.kind), p.label)
		}
		gap = long
	}
	w.close(0)
}

func (w *writer) service(name string, s fsm.Service) {
	w.open(0, "service", name)
	w.attrs(1, serviceAttrs(s))
	for _, c := range s.Checks {
		w.WriteByte('\n')
		w.open(1, "check", string(c.Kind))
		w.attrs(2, checkAttrs(c))
		w.close(1)
	}
	if len(s.Servers) > 0 || s.Fallback != nil {
		w.WriteByte('\n')
	}
	for _, server := range s.Servers {
		w.small(serverAttrs(server), "server", formatEndpoint(server.Address))
	}
	if s.Fallback != nil {
		w.small(fallbackAttrs(*s.Fallback), "fallback", formatEndpoint(s.Fallback.Address))
	}
	w.close(0)
}

// small writes a block inside another on one line, where HCL allows it.
func (w *writer) small(all []attr, kind string, labels ...string) {
	shown := shownAttrs(all)
	switch len(shown) {
	case 0:
		fmt.Fprintf(w, "  %s {}\n", head(kind, labels))
	case 1:
		fmt.Fprintf(w, "  %s { %s = %s }\n", head(kind, labels), shown[0].name, shown[0].value)
	default:
		w.open(1, kind, labels...)
		w.attrs(2, shown)
		w.close(1)
	}
}

func shownAttrs(all []attr) []attr {
	var shown []attr
	for _, a := range all {
		if !a.plain {
			shown = append(shown, a)
		}
	}
	return shown
}

// head is the first line of a block without its brace.
func head(kind string, labels []string) string {
	for _, label := range labels {
		kind += " " + quote(label)
	}
	return kind
}

func (w *writer) open(depth int, kind string, labels ...string) {
	if depth == 0 && w.Len() > 0 {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "%s%s {\n", indent(depth), head(kind, labels))
}

func (w *writer) close(depth int) { w.WriteString(indent(depth) + "}\n") }

func (w *writer) attrs(depth int, all []attr) {
	width := 0
	for _, a := range all {
		if !a.plain {
			width = max(width, len(a.name))
		}
	}
	for _, a := range all {
		if !a.plain {
			fmt.Fprintf(w, "%s%-*s = %s\n", indent(depth), width, a.name, a.value)
		}
	}
}

func indent(depth int) string { return strings.Repeat("  ", depth) }
