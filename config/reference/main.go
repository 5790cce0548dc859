// Command reference writes docs/reference.md: every block and key of both files, from the code that reads
// them and the texts beside it; and docs/import-keepalived.md: every keyword of keepalived, from the importer.
package main

import (
	"cmp"
	"embed"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/expr"
)

// text is what the code that reads a key does not know of it.
type text struct {
	what       string // what it means
	typ        string // if that says more than the code's
	def        string // the default, where the reader does not put it in, or where it depends
	span       string // the range, where it is checked later
	example    string // a value that is not the default
	keepalived string // keepalived's name for it
}

//go:embed about
var about embed.FS

func main() {
	out := flag.String("o", "docs/reference.md", "`file` to write")
	imports := flag.String("import", "docs/import-keepalived.md", "`file` to write of the importer's keywords")
	flag.Parse()
	if err := errors.Join(write(*out, reference), write(*imports, coverage)); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// write writes a page.
func write(path string, page func() (string, error)) error {
	text, err := page()
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// texts are those of all keys, by block and key.
func texts() map[string]text {
	all := maps.Clone(vrrpTexts)
	maps.Copy(all, ipvsTexts)
	maps.Copy(all, agentTexts)
	return all
}

// reference writes the whole document.
func reference() (string, error) {
	w := &writer{done: make(map[string]bool), texts: texts()}
	w.about("top")
	fmt.Fprintf(w, "\n## The cluster file\n")
	for _, b := range config.ClusterReference().Blocks {
		w.block(b)
	}
	w.functions()
	fmt.Fprintf(w, "\n## The agent file\n\n")
	agent := config.AgentReference()
	agent.Name = "agent"
	w.about("agent")
	w.keys(agent)
	for _, b := range agent.Blocks {
		w.block(b)
	}
	return w.String(), w.err
}

// writer builds the document.
type writer struct {
	strings.Builder
	texts map[string]text
	done  map[string]bool // blocks that stand in several others are described once
	err   error
}

func (w *writer) about(name string) {
	b, err := about.ReadFile("about/" + name + ".md")
	if err != nil && w.err == nil {
		w.err = err
	}
	w.Write(b)
}

// block describes a block, then those in it.
func (w *writer) block(b config.Block) {
	if w.done[b.Name] {
		return
	}
	w.done[b.Name] = true
	fmt.Fprintf(w, "\n### `%s`\n\n", b.Name)
	w.about(b.Name)
	if k := keepalivedBlocks[b.Name]; k != "" {
		fmt.Fprintf(w, "\nIn keepalived: %s.\n", k)
	}
	w.keys(b)
	for _, inner := range b.Blocks {
		w.block(inner)
	}
}

// keys writes the table of a block's keys.
func (w *writer) keys(b config.Block) {
	if len(b.Keys) == 0 && !b.Many {
		return
	}
	kinds := len(b.Kinds) > 0
	w.row(kinds, "key", "kinds", "type", "default", "unit, range", "example", "keepalived", "meaning")
	w.row(kinds, "---", "---", "---", "---", "---", "---", "---", "---")
	for _, k := range b.Keys {
		t, ok := w.texts[b.Name+" "+k.Name]
		if (!ok || t.what == "" || t.example == "") && w.err == nil {
			w.err = fmt.Errorf("no text and example for the key %s of %s", k.Name, b.Name)
		}
		w.row(kinds, "`"+k.Name+"`", strings.Join(k.Kinds, ", "), cmp.Or(t.typ, k.Type), fallback(k, t), cmp.Or(t.span, code(k.Range)), code(t.example), t.keepalived, t.what)
	}
	if b.Label != "" {
		w.row(kinds, "`"+b.Label+"`", "", "text", "the label", "", "", "", "computes what stands in the label otherwise; see [for_each](#for_each)")
	}
	if b.Many {
		w.row(kinds, "`for_each`", "", "list or map", "one block", "", "", "", "makes a block of each element; see [for_each](#for_each)")
	}
}

func (w *writer) row(kinds bool, key, kind string, rest ...string) {
	cells := append([]string{key, kind}, rest...)
	if !kinds {
		cells = append([]string{key}, rest...)
	}
	if key == "key" {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}

// fallback is what a key is without being written.
func fallback(k config.Key, t text) string {
	switch {
	case t.def != "":
		return t.def
	case k.Required:
		return "required"
	}
	return code(k.Default)
}

// functions describes what can be computed.
func (w *writer) functions() {
	fmt.Fprintf(w, "\n### `for_each`\n\n")
	w.about("for_each")
	fmt.Fprintf(w, "\n### Functions\n\n| function | gives | example |\n| --- | --- | --- |\n")
	for _, f := range expr.Functions() {
		fmt.Fprintf(w, "| `%s` | %s | `%s` is `%s` |\n", strings.ReplaceAll(f.Use, "), ", ")`, `"), f.Text, f.Example, f.Result)
	}
}

// code sets words of HCL, between commas.
func code(s string) string {
	if s == "" || strings.Contains(s, " to ") && strings.IndexByte("-0123456789", s[0]) >= 0 {
		return s
	}
	if strings.HasPrefix(s, "[") {
		return "`" + s + "`"
	}
	return "`" + strings.ReplaceAll(s, ", ", "`, `") + "`"
}
