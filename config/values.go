package config

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// item is one value of the file: a key's, or an element of a key's list.
type item struct {
	*node
	key   string // as in the file
	path  string
	expr  hcl.Expression
	known cty.Value // its value, if the list that it is in was computed as a whole
}

func (i item) fail(hint, format string, args ...any) {
	i.report(i.path, i.expr.StartRange().Start, hint, "%s%s %s", i.prefix(), i.key, fmt.Sprintf(format, args...))
}

// get returns a key's item; false if the file does not have it.
func (n *node) get(key string) (item, bool) {
	attr, ok := n.attrs[key]
	if !ok {
		return item{}, false
	}
	i := item{node: n, key: key, path: n.child(key), expr: attr.Expr}
	n.where[i.path] = spot{attr.Expr.StartRange().Start, n.file, n.each}
	return i, true
}

// has reports whether the file has the key.
func (n *node) has(key string) bool { return n.attrs[key] != nil }

// require reports a key that is not there. With wrong syntax it may be in the part that was skipped.
func (n *node) require(key, example string) {
	n.asks(key, "", func(k *Key) { k.Required = true })
	if n.has(key) || n.broken || n.twin {
		return
	}
	n.report(n.child(key), n.at, fmt.Sprintf("add %s = %s", key, example), "%s%s is missing", n.prefix(), key)
}

// value evaluates an item that must be a value of the type wanted.
func (i item) value(want cty.Type, name string) (cty.Value, bool) {
	v, ok := i.any()
	if !ok {
		return cty.NilVal, false
	}
	if v.IsNull() || v.Type() != want {
		if hint, have := i.hintType(v, want), describe(v); !secret(i.key) {
			i.fail(hint, "must be %s, not %s", name, have)
		} else {
			i.fail(fmt.Sprintf("write %s = \"...\"", i.key), "must be %s in quotes", name)
		}
		return cty.NilVal, false
	}
	return v, true
}

// any evaluates an item, of whatever type.
func (i item) any() (cty.Value, bool) {
	if i.known != cty.NilVal {
		return i.known, true
	}
	if i.ctx != nil {
		return i.eval(i.expr, i.path, i.key)
	}
	if !i.plain() {
		return cty.NilVal, false
	}
	v, diags := i.expr.Value(nil)
	if diags.HasErrors() {
		i.syntax(diags)
		i.bad[i.path] = true
		return cty.NilVal, false
	}
	if !v.IsKnown() {
		if !i.broken { // else the parser has said so
			i.fail("", "is not a value")
		}
		return cty.NilVal, false
	}
	return v, true
}

// plain reports whether an item is a plain value. If it is an expression, which this file cannot have, that is reported.
func (i item) plain() bool {
	switch e := i.expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.ExprSyntaxError:
		return false
	case *hclsyntax.TemplateExpr:
		for _, p := range e.Parts {
			if _, ok := p.(*hclsyntax.LiteralValueExpr); !ok {
				i.fail("variables are not available; for the characters themselves write $${ or %%{", "has a template in it")
				return false
			}
		}
		return true
	case *hclsyntax.TemplateWrapExpr:
		i.fail("variables are not available; for the characters themselves write $${", "has a template in it")
		return false
	case *hclsyntax.ScopeTraversalExpr:
		word := hcl.ExprAsKeyword(e)
		if word == "" {
			i.fail("variables are not available", "is a reference; it must be a value")
			return false
		}
		if secret(i.key) {
			word = "..."
		}
		i.fail(fmt.Sprintf("write %s = %q", i.key, word), "is a bare word; text needs quotes")
		return false
	case *hclsyntax.UnaryOpExpr:
		if _, ok := e.Val.(*hclsyntax.LiteralValueExpr); ok {
			return true
		}
	case *hclsyntax.TupleConsExpr, *hclsyntax.ObjectConsExpr:
		i.fail("", "must be a single value, not %s", map[bool]string{true: "a list", false: "an object"}[isTuple(e)])
		return false
	case hclsyntax.Expression:
	default: // JSON has values only
		return true
	}
	i.fail("variables, functions and arithmetic are not available", "is an expression; it must be a value")
	return false
}

func isTuple(e hcl.Expression) bool {
	_, ok := e.(*hclsyntax.TupleConsExpr)
	return ok
}

// secret reports whether the value of a key is a secret, which no error may cite.
func secret(key string) bool { return slices.Contains(secrets, key) }

// secrets are the keys whose values no message cites.
var secrets = []string{"key", "other_key", "token"}

// describe names a value's type, as a person would.
func describe(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return "text"
	case v.Type() == cty.Number:
		return "the number " + number(v)
	case v.Type() == cty.Bool:
		return "true or false"
	case v.Type().IsTupleType():
		return "a list"
	}
	return "an object"
}

// number writes a number, unless that would take too long: 1e600000000 has 600 million digits.
func number(v cty.Value) string {
	f := v.AsBigFloat()
	if n, exact := f.Int64(); exact == big.Exact {
		return strconv.FormatInt(n, 10)
	}
	if exp := f.MantExp(nil); f.IsInf() || exp > 256 || exp < -256 {
		return "beyond all bounds"
	}
	return f.Text('g', 20)
}

func (i item) hintType(v cty.Value, want cty.Type) string {
	known := !v.IsNull()
	switch {
	case known && want == cty.Number && v.Type() == cty.String:
		if _, err := strconv.ParseInt(v.AsString(), 10, 64); err == nil {
			return fmt.Sprintf("write %s without quotes", v.AsString())
		}
	case known && want == cty.String && v.Type() == cty.Number:
		return fmt.Sprintf("write %q", number(v))
	case known && want == cty.Bool:
		return "write true or false, without quotes"
	}
	return ""
}

// text reads a text.
func (i item) text() (string, bool) {
	v, ok := i.value(cty.String, "text")
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

// integer reads a whole number within s.
func (i item) integer(s span) (int64, bool) {
	v, ok := i.value(cty.Number, "a number")
	if !ok {
		return 0, false
	}
	f := v.AsBigFloat()
	n, acc := f.Int64()
	switch {
	case acc == big.Exact && (n < s.min || n > s.max), f.IsInf(), f.MantExp(nil) > 64:
		i.fail("", "is %s; it must be %d to %d", number(v), s.min, s.max)
	case acc != big.Exact:
		i.fail("", "is %s; it must be a whole number", number(v))
	default:
		return n, true
	}
	return 0, false
}

// text returns a key's text, or def.
func (n *node) text(key, def string) string {
	n.asks(key, "text", func(k *Key) {
		if def != "" {
			k.Default = quote(def)
		}
	})
	if i, ok := n.get(key); ok {
		if s, ok := i.text(); ok {
			return s
		}
	}
	return def
}

// word returns a key's text, which is to be one of the known ones, or def.
func (n *node) word(key, def string, known []string) string {
	n.asks(key, "text", func(k *Key) {
		if def != "" {
			k.Default = quote(def)
		}
		k.Range = words(known)
	})
	i, ok := n.get(key)
	if !ok {
		return def
	}
	s, ok := i.text()
	if !ok {
		return def
	}
	if !slices.Contains(known, s) {
		i.fail(hintValue(s, known), "%q is not known", s)
		return def
	}
	return s
}

// integer returns a key's number, or def.
func (n *node) integer(key string, def int64, s span) int64 {
	n.asks(key, "number", func(k *Key) {
		if s.min <= def && def <= s.max {
			k.Default = strconv.FormatInt(def, 10)
		}
		k.Range = fmt.Sprintf("%d to %d", s.min, s.max)
	})
	if i, ok := n.get(key); ok {
		if v, ok := i.integer(s); ok {
			return v
		}
	}
	return def
}

// boolean returns a key's truth, or def.
func (n *node) boolean(key string, def bool) bool {
	n.asks(key, "boolean", func(k *Key) { k.Default = strconv.FormatBool(def) })
	if i, ok := n.get(key); ok {
		if v, ok := i.value(cty.Bool, "true or false"); ok {
			return v.True()
		}
	}
	return def
}

// duration returns a key's duration, or def.
func (n *node) duration(key string, def time.Duration) time.Duration {
	n.asks(key, "duration", func(k *Key) {
		if def != 0 {
			k.Default = quote(formatDuration(def))
		}
	})
	i, ok := n.get(key)
	if !ok {
		return def
	}
	v, ok := i.any()
	if !ok {
		return def
	}
	i.known = v
	if !v.IsNull() && v.Type() == cty.Number {
		n := number(v)
		if strings.Trim(n, "0123456789.") != "" {
			n = "2"
		}
		i.fail(fmt.Sprintf(`write %s = "%ss"`, key, n), "has no unit")
		return def
	}
	s, ok := i.text()
	if !ok {
		return def
	}
	d, err := time.ParseDuration(s)
	switch {
	case err == nil:
		return d
	case strings.Trim(s, "0123456789.") == "" && s != "":
		i.fail(fmt.Sprintf("write %q", s+"s"), "%q has no unit", s)
	default:
		i.fail(`a number and a unit: ms, s, m or h, as in "2s" or "1m30s"`, "%q is not a duration", s)
	}
	return def
}

// orNever returns a key's duration, which may be the word "never" too: [Never].
func (n *node) orNever(key string, def time.Duration) time.Duration {
	if i, ok := n.get(key); ok {
		if v, ok := i.any(); ok && !v.IsNull() && v.Type() == cty.String && v.IsKnown() && v.AsString() == "never" {
			return Never
		}
	}
	return n.duration(key, def)
}

// orNone returns a key's duration: [none] for 0s, and 0 if the key is not there. To is what 0s does, as in "to move at once", and
// allowed is the range that an error names.
func (n *node) orNone(key, to, allowed string) time.Duration {
	d := n.duration(key, 0)
	i, ok := n.get(key)
	switch {
	case !ok || n.bad[i.path]:
		return 0
	case d < 0:
		i.fail(`write "0s" `+to, "is %s; it must be %s", formatDuration(d), allowed)
		return 0
	case d == 0:
		return none
	}
	return d
}

// lasting returns a key's duration, or 0, which stands for a default, if the key is not there.
func (n *node) lasting(key string) time.Duration {
	d := n.duration(key, 0)
	if i, ok := n.get(key); ok && d <= 0 && !n.bad[i.path] {
		i.fail("leave it out for the default", "is %s; it must be longer", formatDuration(d))
		return 0
	}
	return d
}

// list returns a key's elements; a single value is a list of one if single allows it.
func (n *node) list(key string, single bool) []item {
	n.asks(key, "list", nil)
	i, ok := n.get(key)
	if !ok {
		return nil
	}
	if exprs, diags := hcl.ExprList(i.expr); !diags.HasErrors() {
		items := make([]item, 0, len(exprs))
		for _, e := range exprs {
			items = append(items, n.element(i, len(items), e, cty.NilVal))
		}
		return items
	}
	v, ok := i.any()
	if !ok {
		return nil
	}
	i.known = v
	switch t := v.Type(); {
	case !v.IsNull() && (t.IsTupleType() || t.IsListType() || t.IsSetType()):
		items := make([]item, 0, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			_, element := it.Element()
			items = append(items, n.element(i, len(items), i.expr, element))
		}
		return items
	case single:
		return []item{i}
	case !v.IsNull() && t == cty.String:
		i.fail(fmt.Sprintf("write %s = [%q]", key, v.AsString()), "must be a list")
	default:
		i.fail("write it in brackets", "must be a list")
	}
	return nil
}

// element is one of a list's items; its value is known if the list was computed.
func (n *node) element(i item, index int, e hcl.Expression, known cty.Value) item {
	el := item{node: n, key: i.key, path: fmt.Sprintf("%s[%d]", i.path, index), expr: e, known: known}
	n.where[el.path] = spot{e.StartRange().Start, n.file, n.each}
	return el
}

// texts returns a key's list of texts. An element that is wrong becomes an empty one, so that the index of the others, by which
// problems name them, stays.
func (n *node) texts(key string) []string {
	var all []string
	for _, i := range n.list(key, false) {
		s, _ := i.text()
		all = append(all, s)
	}
	return all
}
