package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/quorate/quorate/config/expr"
	"github.com/quorate/quorate/config/syntax"
)

// eval computes an expression; label is what it is called in a problem. If it returns false, the reason was reported.
func (n *node) eval(e hcl.Expression, path, label string) (cty.Value, bool) {
	native, ok := n.native(e)
	if !ok {
		n.bad[path] = true
		return cty.NilVal, false
	}
	if again, before := expr.Twice(native); again != nil && !secret(label) {
		n.bad[path] = true
		at, first := again.StartRange().Start, before.StartRange().Start
		n.report(path, at, fmt.Sprintf("the first is on line %d", first.Line), "%s%s: an object has a key twice, of which one would be lost", n.prefix(), label)
		return cty.NilVal, false
	}
	v, diags, err := n.bounds.Value(native, n.ctx)
	switch {
	case errors.Is(err, expr.ErrTooMuch) && n.over:
		n.bad[path], n.broken = true, true
		return cty.NilVal, false
	case err != nil:
		n.over, n.broken = n.over || errors.Is(err, expr.ErrTooMuch), true
		n.report(path, e.StartRange().Start, "", "%s%s: %v", n.prefix(), label, err)
		return cty.NilVal, false
	case diags.HasErrors():
		n.trouble(native, diags, path, label)
		return cty.NilVal, false
	case !v.IsWhollyKnown(): // what it needs could not be computed or parsed, and that was said
		n.bad[path] = true
		return cty.NilVal, false
	}
	return v, true
}

// native returns an expression in HCL's own syntax, bound to the limits. One of JSON is translated: its texts are templates.
func (d *decoder) native(e hcl.Expression) (hclsyntax.Expression, bool) {
	if n, ok := e.(hclsyntax.Expression); ok {
		return n, true
	}
	at := e.StartRange().Start
	if n, ok := d.natives[at.Byte]; ok {
		return n, n != nil
	}
	n, ok := d.translate(e)
	if ok {
		d.bounds.Bind(n)
	} else {
		n = nil
	}
	if d.natives == nil {
		d.natives = make(map[int]hclsyntax.Expression)
	}
	d.natives[at.Byte] = n
	return n, ok
}

// translate makes an expression of JSON one of HCL's own syntax.
func (d *decoder) translate(e hcl.Expression) (hclsyntax.Expression, bool) {
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		tuple := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, element := range list {
			n, ok := d.translate(element)
			if !ok {
				return nil, false
			}
			tuple.Exprs = append(tuple.Exprs, n)
		}
		return tuple, true
	}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		object := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, pair := range pairs {
			key, ok := d.translate(pair.Key)
			value, good := d.translate(pair.Value)
			if !ok || !good {
				return nil, false
			}
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: value})
		}
		return object, true
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		d.syntax(diags)
		return nil, false
	}
	if v.Type() != cty.String || !strings.Contains(v.AsString(), "${") && !strings.Contains(v.AsString(), "%{") {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}, true
	}
	return d.template(v.AsString(), e.StartRange())
}

// template parses a text of JSON.
func (d *decoder) template(text string, at hcl.Range) (hclsyntax.Expression, bool) {
	start := at.Start
	start.Column++ // the quotation mark
	start.Byte++
	tokens, _ := hclsyntax.LexTemplate([]byte(text), d.file, start)
	if wrong, pos := syntax.Tokens(tokens); wrong != "" {
		d.report("", pos, "", "%s", wrong)
		return nil, false
	}
	n, diags := hclsyntax.ParseTemplate([]byte(text), d.file, start)
	if diags.HasErrors() {
		d.syntax(diags)
		return nil, false
	}
	return n, true
}

// trouble reports why an expression has no value, in clearer words than the parser's where there are any.
func (n *node) trouble(e hclsyntax.Expression, diags hcl.Diagnostics, path, label string) {
	for _, diag := range diags {
		if diag.Severity != hcl.DiagError {
			continue
		}
		at := e.StartRange().Start
		if diag.Subject != nil {
			at = diag.Subject.Start
		}
		text, hint := n.explain(diag, label)
		if secret(label) && (text == "" || diag.Summary != "Unsupported attribute") { // the message may cite the secret, which lacks its quotes
			text, hint = "is no text in quotes", fmt.Sprintf("write %s = \"...\"", label)
		}
		if text == "" {
			text = ": " + sentence(cmp.Or(diag.Detail, diag.Summary))
		} else {
			text = " " + text
		}
		n.report(path, at, hint, "%s%s%s", n.prefix(), label, text)
	}
}

// explain knows the usual mistakes; it returns "" for others.
func (n *node) explain(diag *hcl.Diagnostic, label string) (text, hint string) {
	switch diag.Summary {
	case "Unknown variable":
		for _, t := range expr.References(diag.Expression) {
			if !n.variable(t.RootName()) {
				return n.strange(t, label)
			}
		}
	case "Unsupported attribute":
		for _, t := range expr.References(diag.Expression) {
			if text, hint := n.missing(t); text != "" {
				return text, hint
			}
		}
	case "Call to unknown function":
		if call, ok := diag.Expression.(*hclsyntax.FunctionCallExpr); ok {
			return fmt.Sprintf("calls %s, which is no function", call.Name), hintName(call.Name, expr.Names())
		}
	}
	return "", ""
}

// variable reports whether a name can be referred to here.
func (n *node) variable(name string) bool {
	for ctx := n.ctx; ctx != nil; ctx = ctx.Parent() {
		if _, ok := ctx.Variables[name]; ok {
			return true
		}
	}
	return false
}

// strange explains a reference to nothing.
func (n *node) strange(t hcl.Traversal, label string) (text, hint string) {
	name := t.RootName()
	switch {
	case name == "each":
		return "refers to each, which is only there in a block with for_each", ""
	case len(t) == 1 && slices.Contains(n.names, name):
		return "is a bare word; text needs quotes", fmt.Sprintf("for the local write local.%s; as text write %q", name, name)
	case len(t) == 1:
		return "is a bare word; text needs quotes", fmt.Sprintf("write %s = %q", label, name)
	case name == "locals" || name == "var":
		return fmt.Sprintf("refers to %s, which is nothing", name), "write local.NAME"
	}
	return fmt.Sprintf("refers to %s, which is nothing", name), "there are local, and each in a block with for_each"
}

// missing explains a reference to a part that is not there.
func (n *node) missing(t hcl.Traversal) (text, hint string) {
	if len(t) < 2 {
		return "", ""
	}
	step, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return "", ""
	}
	switch names := n.names; {
	case t.RootName() == "local" && !slices.Contains(names, step.Name):
		if len(names) == 0 {
			return fmt.Sprintf("refers to local.%s, and there are no locals", step.Name), fmt.Sprintf("add locals { %s = ... }", step.Name)
		}
		return fmt.Sprintf("refers to local.%s, which is not there", step.Name), hintOf("there are", step.Name, names)
	case t.RootName() != "local" && step.Name != "key" && step.Name != "value" && n.variable(t.RootName()):
		return fmt.Sprintf("refers to %s.%s, which is not there", t.RootName(), step.Name), "there are key and value"
	}
	return "", ""
}
