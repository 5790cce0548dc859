package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"

	"github.com/quorate/quorate/config/expr"
	"github.com/quorate/quorate/config/syntax"
)

// decoder reads one of the files of a configuration.
type decoder struct {
	*notes
	file   string
	src    []byte
	json   bool
	broken bool // the syntax is wrong, so that parts may be missing
	lacks  bool // blocks of the top level are missing

	unbalanced *hcl.Diagnostic // a block is not closed, so that everything behind it seems to be a part of it; or a brace closes no block

	natives map[int]hclsyntax.Expression // JSON expressions in HCL's own syntax, by where they begin
}

// notes are shared by the decoders of all files: what is wrong so far, and where each part of the model was
// written, so that what [Validate] finds later can be reported with its place.
type notes struct {
	findings []finding
	more     int             // findings beyond maxFindings, which are counted and not kept
	where    map[string]spot // by path
	bad      map[string]bool // paths about which something was reported already

	facts  map[string]*Key // what the readers ask of each key, for the reference; else nil
	limits limits
	bounds *expr.Bounds     // nil: nothing is computed
	root   *hcl.EvalContext // the functions and the locals
	names  []string         // of the locals
	over   bool             // the bounds were reached, and that was reported
	made   int              // blocks that for_each made
	twins  int              // blocks whose name another had before
}

func newNotes() *notes { return &notes{where: make(map[string]spot), bad: make(map[string]bool)} }

// spot is a place in a file.
type spot struct {
	hcl.Pos
	file string
	each string // the elements of for_each that it was made for
}

// seen describes a spot as the other place of a contradiction. From within the same file it needs no file name.
func (s spot) seen(from string) string {
	if s.file == from {
		return fmt.Sprintf("the other is on line %d", s.Line)
	}
	return fmt.Sprintf("the other is at %s:%d:%d", s.file, s.Line, s.Column)
}

// open parses src, as JSON if the file name says so, and returns its top level, or nil if there is none.
func (all *notes) open(filename string, src []byte, s *schema) (*decoder, *node) {
	d, body := all.parse(filename, src)
	if body == nil || d.unbalanced != nil {
		return d, nil
	}
	return d, d.top(s, body)
}

// parse parses src, as JSON if the file name says so. It returns no body if there is none.
func (all *notes) parse(filename string, src []byte) (*decoder, hcl.Body) {
	d := &decoder{notes: all, file: filename, src: src, json: !File{Name: filename}.native()}
	if d.json {
		src = bytes.TrimPrefix(src, []byte("\ufeff")) // as HCL's own parser does
		d.src = src
	}
	if text, at := syntax.Guard(src, d.json); text != "" {
		d.broken = true
		d.report("", at, "", "%s", text)
		return d, nil
	}
	var (
		file  *hcl.File
		said  hcl.Diagnostics // mistakes in spite of which the file could be read
		diags hcl.Diagnostics
	)
	if d.json {
		file, diags = hcljson.Parse(src, filename)
		for _, at := range syntax.Nulls(src) {
			d.broken = true
			d.report("", at, "", "null is not a value")
		}
	} else {
		file, said, diags = syntax.Parse(src, filename)
	}
	if all.bounds != nil && file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			all.bounds.Bind(body)
		}
	}
	d.broken = d.broken || slices.ContainsFunc(diags, breaks)
	if d.unbalanced = syntax.Unclosed(diags); d.unbalanced == nil {
		d.unbalanced = syntax.Stray(diags, src, 0)
	}
	d.syntax(append(said, diags...))
	if file == nil || file.Body == nil {
		d.broken = true
		return d, nil
	}
	return d, file.Body
}

// report adds an error. What [Validate] finds at the same path later is left out.
func (d *decoder) report(path string, at hcl.Pos, hint, format string, args ...any) {
	d.reportIn("", path, at, hint, format, args...)
}

// report adds an error about the block or a part of it.
func (n *node) report(path string, at hcl.Pos, hint, format string, args ...any) {
	n.reportIn(n.each, path, at, hint, format, args...)
}

// reportIn adds an error that is about some elements of a for_each, or about none if each is empty.
func (d *decoder) reportIn(each, path string, at hcl.Pos, hint, format string, args ...any) {
	d.bad[path] = true
	if len(d.findings) >= maxFindings {
		d.more++
		return
	}
	d.findings = append(d.findings, finding{sort: format, Problem: Problem{
		File: d.file, Line: at.Line, Column: at.Column, Path: path, Text: fmt.Sprintf(format, args...), Hint: hint, Each: each,
	}})
}

// syntax takes over what the parser found.
func (n *node) syntax(diags hcl.Diagnostics) { n.syntaxIn(n.each, diags) }

func (d *decoder) syntax(diags hcl.Diagnostics) { d.syntaxIn("", diags) }

func (d *decoder) syntaxIn(each string, diags hcl.Diagnostics) {
	for _, diag := range diags {
		text := diag.Detail
		var at hcl.Pos
		if diag.Subject != nil {
			at = diag.Subject.Start
			if besideSecret(d.src, at.Byte) {
				text = "" // which cites what is written
			}
		}
		if text == "" {
			text = diag.Summary
		}
		d.reportIn(each, "", at, "", "%s", sentence(text))
	}
}

// breaks reports whether parts of a file were not read for what the parser found. Of a key that is written twice it keeps the first.
func breaks(diag *hcl.Diagnostic) bool {
	return diag.Severity == hcl.DiagError && diag.Summary != "Attribute redefined"
}

// secretKey is where something that is secret is written, in either syntax.
var secretKey = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[^A-Za-z0-9_])(?:` + strings.Join(secrets, "|") + `)"?\s*[=:]`)
})

// besideSecret reports whether a secret is written shortly before a place in a file: what is there may be a part of it, and where a
// file cannot be parsed, nothing else tells.
func besideSecret(src []byte, at int) bool {
	const reach = 300 // bytes: of what is written of a secret, and of blanks
	at = min(at, len(src))
	before := src[max(0, at-reach):at]
	keys := secretKey().FindAllIndex(before, -1)
	if keys == nil {
		return false
	}
	since := before[keys[len(keys)-1][1]:]
	return bytes.Count(bytes.TrimSpace(since), []byte("\n")) == 0
}

// sentence makes a parser's prose fit behind "error:".
func sentence(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && (s[1] >= 'a' && s[1] <= 'z' || s[1] == ' ') {
		s = strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// place says where a block is: in the file, in the model, and in words.
type place struct {
	at   hcl.Pos
	path string // services["web"], or "" at the top
	what string // service "web", or "" at the top
}

// node is one block that is being read.
type node struct {
	*decoder
	place
	schema *schema
	attrs  hcl.Attributes
	blocks hcl.Blocks
	ctx    *hcl.EvalContext // nil: nothing is computed
	each   string           // the elements of for_each that it was made for
	twin   bool             // an earlier block has the same name: a key that is missing here may be there
}

// top reads what stands outside of all blocks. The blocks themselves are read once the locals are known.
func (d *decoder) top(s *schema, body hcl.Body) *node {
	n := &node{decoder: d, schema: s}
	n.read(body)
	return n
}

// node reads the body of a block inside this one, and reports everything in it that does not belong there.
func (n *node) node(s *schema, body hcl.Body, p place) *node {
	m := &node{decoder: n.decoder, place: p, schema: s, ctx: n.ctx, each: n.each}
	if e, ok := body.(*instance); ok {
		m.ctx, m.each, body = e.ctx, e.each, e.Body
	}
	if p.path != "" {
		m.where[p.path] = spot{p.at, m.file, m.each}
	}
	m.read(body)
	m.expand()
	return m
}

// read takes a body apart.
func (n *node) read(body hcl.Body) {
	if n.each != "" && !n.worthwhile(body) {
		return
	}
	if n.schema.open {
		attrs, diags := body.JustAttributes()
		n.syntax(diags)
		n.attrs = attrs
		return
	}
	content, diags := body.Content(n.schema.hcl())
	var rest hcl.Diagnostics
	for _, diag := range diags {
		if !n.unknown(diag) {
			rest = append(rest, diag)
		}
	}
	n.syntax(rest)
	n.attrs, n.blocks = content.Attributes, content.Blocks
	for _, key := range []string{forEach, n.schema.label} { // expand has read them
		delete(n.attrs, key)
	}
}

// unknown reports, in our words, a name that is not known here; it returns false for other diagnostics.
func (n *node) unknown(diag *hcl.Diagnostic) bool {
	what := ""
	switch diag.Summary {
	case "Unsupported argument", "Extraneous JSON object property":
		what = "key"
	case "Unsupported block type":
		what = "block"
	case "Missing block label":
		return n.json // an empty object: how a program writes that there are no such blocks
	default:
		return n.label(diag)
	}
	if diag.Subject == nil || !diag.Subject.CanSliceBytes(n.src) {
		return false
	}
	name := string(diag.Subject.SliceBytes(n.src))
	if n.json {
		if err := json.Unmarshal([]byte(name), &name); err != nil {
			return false
		}
	}
	hint := hintName(name, n.schema.known())
	if b := n.schema.block(name); b != nil {
		hint = "it is a block: write " + b.example() + " without an equals sign"
	}
	if what == "block" && slices.Contains(n.schema.keys, name) {
		hint = fmt.Sprintf("it is a key: write %s = ... with an equals sign", name)
	}
	n.report("", diag.Subject.Start, hint, "%sunknown %s %q", n.prefix(), what, name)
	return true
}

// label reports, in our words, a block with too few or too many labels.
func (n *node) label(diag *hcl.Diagnostic) bool {
	for _, b := range n.schema.blocks {
		text := ""
		for _, label := range b.labels {
			if diag.Summary == fmt.Sprintf("Missing %s for %s", label, b.name) {
				text = "has no " + label
			}
		}
		if diag.Summary == "Extraneous label for "+b.name {
			text = "has a word too many before its brace"
		}
		if text == "" || diag.Subject == nil {
			continue
		}
		n.report("", diag.Subject.Start, "write "+b.example(), "%s%s block %s", n.prefix(), b.name, text)
		return true
	}
	return false
}

// example returns a block's first line as it should be written.
func (s *schema) example() string {
	labels := make([]string, len(s.labels))
	for i, label := range s.labels {
		labels[i] = strings.ToUpper(label)
	}
	return head(s.name, labels) + " { ... }"
}

// prefix names the block in the text of a problem.
func (n *node) prefix() string {
	if n.what == "" {
		return ""
	}
	return n.what + ": "
}

// child returns the path of a part of the block.
func (n *node) child(key string) string {
	if n.path == "" {
		return key
	}
	return n.path + "." + key
}

// problems returns all findings as problems with their places, and those of validate that are not about something that was
// reported already.
func (all *notes) problems(found []finding) Problems {
	said := slices.Clone(all.findings)
	for _, f := range found {
		if all.bad[f.Path] || f.see != "" && all.bad[f.see] {
			continue
		}
		at := all.position(f.Path)
		f.File, f.Line, f.Column, f.Each = at.file, at.Line, at.Column, at.each
		if f.see != "" {
			f.Hint = strings.TrimPrefix(f.Hint+"; "+all.position(f.see).seen(at.file), "; ")
		}
		said = append(said, f)
	}
	return sortProblems(together(said), all.more)
}

// position returns the place of a path, or of the nearest part around it that has one.
func (all *notes) position(path string) spot {
	for path != "" {
		if at, ok := all.where[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return spot{}
}
