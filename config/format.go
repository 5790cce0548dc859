package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Format prints a configuration as a cluster file: sync groups, routers and services by name, keys in
// a fixed order, most defaults left out. [ParseCluster] reads it back as the same configuration,
// provided that [Validate] found nothing wrong with it.
func Format(c fsm.Config) []byte {
	w := new(writer)
	for name, g := range sorted(c.SyncGroups) {
		w.block(0, groupAttrs(g), "sync_group", name)
	}
	for name, r := range sorted(c.Routers) {
		w.block(0, routerAttrs(r), "router", name)
	}
	for name, s := range sorted(c.Services) {
		w.service(name, s)
	}
	return w.Bytes()
}

// writer builds HCL in the layout of hclfmt.
type writer struct{ bytes.Buffer }

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

// block writes a block of keys only.
func (w *writer) block(depth int, all []attr, kind, label string) {
	w.open(depth, kind, label)
	w.attrs(depth+1, all)
	w.close(depth)
}

// small writes a block inside a service on one line, where HCL allows it.
func (w *writer) small(all []attr, kind, label string) {
	var shown []attr
	for _, a := range all {
		if !a.plain {
			shown = append(shown, a)
		}
	}
	switch len(shown) {
	case 0:
		fmt.Fprintf(w, "  %s %s {}\n", kind, quote(label))
	case 1:
		fmt.Fprintf(w, "  %s %s { %s = %s }\n", kind, quote(label), shown[0].name, shown[0].value)
	default:
		w.block(1, shown, kind, label)
	}
}

func (w *writer) open(depth int, kind, label string) {
	if depth == 0 && w.Len() > 0 {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "%s%s %s {\n", indent(depth), kind, quote(label))
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
