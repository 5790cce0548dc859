package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// File is a file of a configuration, already read.
type File struct {
	Name string // used for nothing else but the places of problems, and to know JSON by its .json
	Src  []byte
}

// native reports whether the file is written in HCL's own syntax.
func (f File) native() bool { return !strings.HasSuffix(f.Name, ".json") }

// ParseCluster reads a cluster file: HCL, or the same in JSON if the file name ends in .json. All
// problems are returned at once; if one of them is an error the configuration is empty.
func ParseCluster(filename string, src []byte) (fsm.Config, Problems) {
	return ParseFiles([]File{{filename, src}})
}

// ParseFiles reads a configuration that is spread over several files. Their order decides nothing but the order of the
// problems.
func ParseFiles(files []File) (fsm.Config, Problems) { return parseFiles(files, usual) }

func parseFiles(files []File, l limits) (fsm.Config, Problems) {
	r := inPieces(files, l)
	if r == nil {
		r = whole(files, l)
	}
	return r.judged()
}

// whole reads each file in one go. Where a block is not closed, or a brace closes none, only errors of syntax are reported: any
// other would be about parts that seem to be missing.
func whole(files []File, l limits) *reading {
	r := &reading{notes: newComputing(l)}
	bodies := make([]hcl.Body, len(files))
	for i, f := range files {
		var d *decoder
		d, bodies[i] = r.parse(f.Name, f.Src)
		r.decoders = append(r.decoders, d)
	}
	if r.unbalanced() {
		return r
	}
	var tops []*node
	for i, body := range bodies {
		if body != nil {
			tops = append(tops, r.decoders[i].top(clusterSchema(), body))
		}
	}
	r.read(tops)
	return r
}

// judged returns the configuration that was read, and everything that is wrong with it.
func (r *reading) judged() (fsm.Config, Problems) {
	broken := slices.ContainsFunc(r.decoders, func(d *decoder) bool { return d.broken })
	var found []finding
	if !broken { // else much of the file was not read, and would be reported as missing
		found = validate(r.c)
	}
	if slices.ContainsFunc(r.decoders, func(d *decoder) bool { return d.lacks }) {
		found = slices.DeleteFunc(found, func(f finding) bool { return f.elsewhere }) // it may be in a block that was not read
	}
	problems := r.problems(found)
	if problems.Err() != nil {
		return fsm.Config{}, r.problems(sure(found, problems.Errors()))
	}
	return r.c, problems
}

// cluster reads the top level of a file.
func (n *node) cluster(c *fsm.Config) {
	for _, b := range n.blocks {
		if len(b.Labels) == 0 {
			continue // locals, which have been read already
		}
		name := b.Labels[len(b.Labels)-1]
		switch b.Type {
		case "router":
			r, first := n.named(b, "routers")
			if v := r.router(name); first {
				put(&c.Routers, name, v)
			}
		case "sync_group":
			g, first := n.named(b, "sync_groups")
			g.require("routers", `["ROUTER", "ROUTER"]`)
			v := canonicalGroup(fsm.SyncGroup{Name: name, Routers: g.texts("routers"), Needs: g.needs(), Placement: g.placement()})
			if first {
				put(&c.SyncGroups, name, v)
			}
		case "track":
			t, first := n.named(b, "tracks")
			if v := t.track(name, b); first {
				put(&c.Tracks, name, v)
			}
		case "service":
			s, first := n.named(b, "services")
			if v := s.service(name); first {
				c.Services = c.Services.With(name, v)
			}
		}
	}
}

func put[T any](m *map[string]T, name string, v T) {
	if *m == nil {
		*m = make(map[string]T)
	}
	(*m)[name] = v
}

// named opens a block that has a name of its own. If an earlier block has the same name, first is false: mistakes in this one
// are still reported, but the name stays with the earlier one.
func (n *node) named(b *hcl.Block, field string) (opened *node, first bool) {
	last := len(b.Labels) - 1
	name := b.Labels[last]
	p := place{path: fmt.Sprintf("%s[%q]", field, name), what: fmt.Sprintf("%s %q", b.Type, name), at: b.LabelRanges[last].Start}
	before, again := n.where[p.path]
	if again {
		n.report("", p.at, before.seen(n.file), "%s is there twice", p.what)
		n.twins++
		p.path += fmt.Sprintf("[%d]", 1+n.twins) // a path that no other block has
	}
	opened = n.node(n.schema.block(b.Type), b.Body, p)
	opened.twin = again
	return opened, !again
}

// second reports a block of which there may be one, if there was one at its path before.
func (n *node) second(b *hcl.Block, path string) bool {
	first, ok := n.where[path]
	if ok {
		n.report("", b.LabelRanges[0].Start, "one is enough; "+first.seen(n.file), "%sa second %s", n.prefix(), b.Type)
	}
	return ok
}

// part opens a block that is an element of a list.
func (n *node) part(b *hcl.Block, field string, index int) *node {
	p := place{path: fmt.Sprintf("%s.%s[%d]", n.path, field, index), what: n.what + ", " + b.Type, at: b.DefRange.Start}
	if len(b.Labels) > 0 {
		p.what, p.at = p.what+" "+b.Labels[0], b.LabelRanges[0].Start
	}
	return n.node(n.schema.block(b.Type), b.Body, p)
}

// only reports the keys that a block of this kind does not have, and forgets them.
func (n *node) only(keys []string) {
	hint := "known here: " + strings.Join(keys, ", ")
	if len(keys) == 0 {
		hint = "leave it out"
	}
	for name, attr := range n.attrs {
		if !slices.Contains(keys, name) {
			n.report(n.child(name), attr.NameRange.Start, hint, "%s%s means nothing to it", n.prefix(), name)
			delete(n.attrs, name)
		}
	}
}

// also records the place of a key for the field of the model that it sets under another name.
func (n *node) also(key, field string) {
	if at, ok := n.where[n.child(key)]; ok {
		n.where[n.child(field)] = at
	}
	if n.bad[n.child(key)] {
		n.bad[n.child(field)] = true
	}
}
