package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/quorate/quorate/fsm"
)

// FormatJSON prints what [Format] prints, as JSON.
func FormatJSON(c fsm.Config) []byte {
	file, diags := hclsyntax.ParseConfig(Format(c), "", hcl.InitialPos)
	if diags.HasErrors() { // then the configuration is not valid
		file = &hcl.File{Body: &hclsyntax.Body{}}
	}
	var raw, out bytes.Buffer
	bodyJSON(&raw, file.Body.(*hclsyntax.Body))
	// what bodyJSON writes is JSON
	_ = json.Indent(&out, raw.Bytes(), "", "  ")
	out.WriteByte('\n')
	return out.Bytes()
}

// bodyJSON writes keys and blocks in their order.
func bodyJSON(w *bytes.Buffer, body *hclsyntax.Body) {
	w.WriteByte('{')
	first := true
	comma := func() {
		if !first {
			w.WriteByte(',')
		}
		first = false
	}
	for _, attr := range ordered(body.Attributes) {
		comma()
		v, _ := attr.Expr.Value(nil) // values only: Format wrote them
		fmt.Fprintf(w, "%s:%s", jsonText(attr.Name), valueJSON(v))
	}
	done := make(map[string]bool)
	for _, b := range body.Blocks {
		if done[b.Type] {
			continue
		}
		done[b.Type] = true
		var alike []*hclsyntax.Block
		for _, other := range body.Blocks {
			if other.Type == b.Type {
				alike = append(alike, other)
			}
		}
		comma()
		fmt.Fprintf(w, "%s:", jsonText(b.Type))
		blocksJSON(w, alike, 0)
	}
	w.WriteByte('}')
}

// ordered returns keys in the order of the file.
func ordered(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hclsyntax.Attribute) int {
		return a.NameRange.Start.Byte - b.NameRange.Start.Byte
	})
}

// blocksJSON writes blocks of one type by their labels from depth on: as an object if they differ in the next
// one, or as an array.
func blocksJSON(w *bytes.Buffer, blocks []*hclsyntax.Block, depth int) {
	if depth == len(blocks[0].Labels) {
		if len(blocks) == 1 {
			bodyJSON(w, blocks[0].Body)
			return
		}
		arrayJSON(w, blocks, func(b *hclsyntax.Block) { bodyJSON(w, b.Body) })
		return
	}
	var names []string
	named := make(map[string][]*hclsyntax.Block)
	again := false
	for _, b := range blocks {
		label := b.Labels[depth]
		if named[label] == nil {
			names = append(names, label)
		}
		again = again || named[label] != nil && depth == len(b.Labels)-1
		named[label] = append(named[label], b)
	}
	if again { // the order counts
		arrayJSON(w, blocks, func(b *hclsyntax.Block) { blocksJSON(w, []*hclsyntax.Block{b}, depth) })
		return
	}
	for i, name := range names {
		fmt.Fprintf(w, "%s%s:", map[bool]string{true: "{", false: ","}[i == 0], jsonText(name))
		blocksJSON(w, named[name], depth+1)
	}
	w.WriteByte('}')
}

func arrayJSON(w *bytes.Buffer, blocks []*hclsyntax.Block, write func(b *hclsyntax.Block)) {
	for i, b := range blocks {
		w.WriteString(map[bool]string{true: "[", false: ","}[i == 0])
		write(b)
	}
	w.WriteByte(']')
}

// valueJSON writes a value, in whose texts no template begins.
func valueJSON(v cty.Value) string {
	v, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			return cty.StringVal(escape(v.AsString())), nil
		}
		return v, nil
	})
	if err != nil {
		return "null"
	}
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return "null"
	}
	return string(b)
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// escape writes a text so that it is the same text as a template.
func escape(s string) string {
	if !strings.Contains(s, "${") && !strings.Contains(s, "%{") {
		return s
	}
	var b strings.Builder
	for s != "" {
		text := len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool { return r != '$' && r != '%' }))
		b.WriteString(s[:text])
		s = s[text:]
		run := len(s) - len(strings.TrimLeft(s, "$%"))
		next := s[run:]
		switch {
		case next == "" || next[0] != '{' && next[0] != '\r':
			b.WriteString(s[:run])
		case run == 1 && next[0] == '{':
			b.WriteString(s[:1] + s[:1])
		default: // $$${ would be read as a text and a template
			for _, c := range s[:run] {
				fmt.Fprintf(&b, "${%q}", string(c))
			}
		}
		s = next
	}
	return strings.ReplaceAll(b.String(), "\r", `${"\r"}`) // else the parser sees no template behind it
}
