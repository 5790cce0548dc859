package expr

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Bind puts limits into a body or an expression, wherever the value of one part can cost another part more than one step. It
// must be called once, before anything in it is evaluated. Functions of the hcl package that look at how a list or a single
// word is written still work.
func (b *Bounds) Bind(n hclsyntax.Node) {
	// no diagnostics come from the function
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		if c, ok := n.(*counted); ok {
			n = c.Expression
		}
		b.bind(n)
		return nil
	})
}

func (b *Bounds) bind(n hclsyntax.Node) {
	switch e := n.(type) {
	case *hclsyntax.FunctionCallExpr:
		for i := range e.Args {
			e.Args[i] = b.count(e.Args[i], b.takesNumber(e.Name, i))
		}
	case *hclsyntax.ConditionalExpr:
		e.TrueResult, e.FalseResult = b.compared(e.TrueResult), b.compared(e.FalseResult)
	case *hclsyntax.BinaryOpExpr:
		if e.Op == hclsyntax.OpEqual || e.Op == hclsyntax.OpNotEqual {
			e.LHS, e.RHS = b.compared(e.LHS), b.compared(e.RHS)
		} else {
			e.LHS, e.RHS = b.count(e.LHS, true), b.count(e.RHS, true)
		}
	case *hclsyntax.UnaryOpExpr:
		e.Val = b.count(e.Val, true)
	case *hclsyntax.ForExpr:
		e.CollExpr, e.KeyExpr = b.count(e.CollExpr, false), b.count(e.KeyExpr, false)
		e.ValExpr, e.CondExpr = b.count(e.ValExpr, false), b.count(e.CondExpr, false)
	case *hclsyntax.SplatExpr:
		e.Source, e.Each = b.count(e.Source, false), b.count(e.Each, false)
	case *hclsyntax.IndexExpr:
		e.Key = b.count(e.Key, true)
	case *hclsyntax.TemplateExpr:
		for i, part := range e.Parts {
			if l, ok := part.(*hclsyntax.LiteralValueExpr); !ok || l.Val.Type() != cty.String {
				e.Parts[i] = &counted{Expression: part, bounds: b, times: 1, text: true}
			}
		}
	case *hclsyntax.ObjectConsKeyExpr:
		if _, word := e.Wrapped.(*hclsyntax.ScopeTraversalExpr); !word || e.ForceNonLiteral {
			e.Wrapped = b.count(e.Wrapped, false)
		}
	}
}

// count wraps an expression; there may be none.
func (b *Bounds) count(e hclsyntax.Expression, number bool) hclsyntax.Expression {
	if e == nil {
		return nil
	}
	return &counted{Expression: e, bounds: b, number: number, times: 1}
}

// compared wraps an expression whose type is compared with another's, at each of its levels.
func (b *Bounds) compared(e hclsyntax.Expression) hclsyntax.Expression {
	return &counted{Expression: e, bounds: b, times: 10}
}

// takesNumber reports whether a function converts an argument to a number.
func (b *Bounds) takesNumber(name string, i int) bool {
	f, ok := b.functions[name]
	if !ok {
		return false
	}
	params, rest := f.Params(), f.VarParam()
	if i < len(params) {
		return params[i].Type == cty.Number
	}
	return rest != nil && rest.Type == cty.Number
}

// References returns the references in an expression, bound or not, those to the variables of a for included.
func References(e hcl.Expression) []hcl.Traversal {
	native, ok := e.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	var all []hcl.Traversal
	// no diagnostics come from the function
	_ = hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		if c, ok := n.(*counted); ok {
			n = c.Expression
		}
		if t, ok := n.(*hclsyntax.ScopeTraversalExpr); ok {
			all = append(all, t.Traversal)
		}
		return nil
	})
	return all
}

// Twice returns where a key stands in an object that has it before, and where it stood there; nil of an expression without such
// an object. The parser takes the last of them without a word. A key that has to be computed is not looked at.
func Twice(e hclsyntax.Expression) (again, before hclsyntax.Expression) {
	switch e.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.ScopeTraversalExpr:
		return nil, nil // most are, and no map is written within one
	}
	// no diagnostics come from the function
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		object, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok || again != nil {
			return nil
		}
		had := make(map[string]hclsyntax.Expression, len(object.Items))
		for _, item := range object.Items {
			key, ok := literal(item.KeyExpr)
			if !ok {
				continue
			}
			if first, twice := had[key]; twice {
				again, before = item.KeyExpr, first
				return nil
			}
			had[key] = item.KeyExpr
		}
		return nil
	})
	return again, before
}

// literal is the key of an object that is written as a word, a text or a number.
func literal(key hclsyntax.Expression) (string, bool) {
	if k, ok := key.(*hclsyntax.ObjectConsKeyExpr); ok {
		if word := hcl.ExprAsKeyword(k.Wrapped); word != "" && !k.ForceNonLiteral {
			return word, true
		}
		key = k.Wrapped
	}
	if c, ok := key.(*counted); ok {
		key = c.Expression
	}
	if t, ok := key.(*hclsyntax.TemplateExpr); ok && t.IsStringLiteral() {
		key = t.Parts[0]
	}
	l, ok := key.(*hclsyntax.LiteralValueExpr)
	if !ok {
		return "", false
	}
	text, err := convert.Convert(l.Val, cty.String)
	if err != nil || text.IsNull() || !text.IsKnown() {
		return "", false
	}
	return text.AsString(), true
}
