package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/quorate/quorate/config/expr"
)

// maxLocals limits how many locals there are, since each can need the next.
const maxLocals = 5000

// local is one named value of the locals blocks.
type local struct {
	*node
	expr    hcl.Expression
	at      hcl.Pos
	value   cty.Value
	waiting bool // it is being computed
	done    bool
}

// locals computes the named values of all files, and makes them known to all blocks.
func (all *notes) locals(tops []*node) {
	named := make(map[string]*local)
	for _, top := range tops {
		for _, b := range top.blocks {
			if b.Type != "locals" {
				continue
			}
			m := top.node(top.schema.block("locals"), b.Body, place{at: b.DefRange.Start, what: "locals"})
			for _, name := range slices.Sorted(maps.Keys(m.attrs)) {
				m.gather(named, name)
			}
		}
	}
	all.names = slices.Sorted(maps.Keys(named))
	values := make(map[string]cty.Value, len(named))
	for _, name := range all.names {
		values[name] = all.compute(named, name)
	}
	all.root = all.bounds.Context(map[string]cty.Value{"local": cty.ObjectVal(values)})
	for _, top := range tops {
		top.ctx = all.root
		top.expand()
	}
}

// gather notes one local under its name.
func (n *node) gather(named map[string]*local, name string) {
	attr := n.attrs[name]
	at := attr.NameRange.Start
	if first, ok := named[name]; ok {
		n.report("", at, spot{first.at, first.file, ""}.seen(n.file), "local %q is there twice", name)
		return
	}
	if len(named) == maxLocals {
		n.report("", at, "", "more than %d locals", maxLocals)
	}
	if len(named) < maxLocals {
		named[name] = &local{node: n, expr: attr.Expr, at: at}
	}
}

// compute computes one local, after those that it refers to. One that cannot be computed is unknown, and so is everything that
// needs it.
func (all *notes) compute(named map[string]*local, name string) cty.Value {
	l := named[name]
	if l.done {
		return l.value
	}
	l.waiting = true
	ctx := all.bounds.Context(map[string]cty.Value{"local": cty.EmptyObjectVal})
	l.value = cty.DynamicVal
	if needs, ok := all.needed(named, name); ok {
		ctx.Variables["local"] = cty.ObjectVal(needs)
		m := &node{decoder: l.decoder, ctx: ctx}
		if v, ok := m.eval(l.expr, "", fmt.Sprintf("local %q", name)); ok {
			l.value = v
		}
	}
	l.waiting, l.done = false, true
	return l.value
}

// needed computes what a local refers to; it returns false if it needs itself.
func (all *notes) needed(named map[string]*local, name string) (map[string]cty.Value, bool) {
	l := named[name]
	native, ok := l.native(l.expr)
	if !ok {
		return nil, false
	}
	needs := make(map[string]cty.Value)
	for _, ref := range expr.References(native) {
		if ref.RootName() != "local" || len(ref) < 2 {
			continue
		}
		step, ok := ref[1].(hcl.TraverseAttr)
		if !ok || named[step.Name] == nil {
			continue
		}
		if named[step.Name].waiting {
			l.report("", ref.SourceRange().Start, "locals may refer to each other, but not in a circle", "local %q needs itself, by %s", name, circle(named, step.Name))
			return nil, false
		}
		needs[step.Name] = all.compute(named, step.Name)
	}
	return needs, true
}

// circle names the locals that are being computed.
func circle(named map[string]*local, first string) string {
	var names []string
	for name, l := range sorted(named) {
		if l.waiting {
			names = append(names, fmt.Sprintf("%q", name))
		}
	}
	if len(names) > maxSuggested {
		return fmt.Sprintf("%q", first)
	}
	return strings.Join(names, ", ")
}

// newComputing returns notes for files whose values may be computed.
func newComputing(l limits) *notes {
	all := newNotes()
	all.limits, all.bounds = l, expr.NewBounds(l.steps)
	return all
}
