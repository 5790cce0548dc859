package expr

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The limits of what is computed. What files say without computing has its own limits.
const (
	maxParts  = 200_000 // of one value
	maxText   = 1 << 20 // bytes of one text
	maxDepth  = 32      // of lists in lists
	maxBits   = 4096    // of a number: beyond, arithmetic and printing take a time of their own
	maxNumber = 256     // bytes of a text that is to be a number
)

// ErrTooMuch means that all expressions together cost more than a configuration may.
var ErrTooMuch = errors.New("the files compute too much: for_each, for and functions have a limit")

// Bounds evaluates the expressions of one configuration. They share its limits.
type Bounds struct {
	left      int
	functions map[string]function.Function
}

// NewBounds returns bounds of so many steps for all expressions together. A million take less than a second.
func NewBounds(steps int) *Bounds {
	b := &Bounds{left: steps}
	b.functions = b.makeFunctions()
	return b
}

// Context returns the outermost context: the functions and these variables.
func (b *Bounds) Context(variables map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Functions: b.functions, Variables: variables}
}

// broken is the panic that ends an evaluation early, since the hcl package has no way to stop in the middle.
type broken struct {
	err   error
	diags hcl.Diagnostics
}

// Value evaluates an expression that has gone through [Bounds.Bind]. The error is about limits, the
// diagnostics about the rest.
func (b *Bounds) Value(e hcl.Expression, ctx *hcl.EvalContext) (v cty.Value, diags hcl.Diagnostics, err error) {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val, nil, nil
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			v, diags = e.Value(nil)
			return v, diags, nil
		}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case broken:
			v, diags, err = cty.DynamicVal, r.diags, r.err
		default:
			panic(r)
		}
	}()
	b.spend(1)
	if v, diags = e.Value(ctx); !diags.HasErrors() {
		b.weigh(v, 1)
	}
	return v, diags, nil
}

// Spend takes steps for work that is done elsewhere; it returns [ErrTooMuch] if there are not so many left.
func (b *Bounds) Spend(n int) error {
	b.left -= n
	if b.left < 0 {
		b.left = 0
		return ErrTooMuch
	}
	return nil
}

func (b *Bounds) spend(n int) {
	if err := b.Spend(n); err != nil {
		panic(broken{err: err})
	}
}

func stop(format string, args ...any) { panic(broken{err: fmt.Errorf(format, args...)}) }

// weigh spends the size of a value, times times.
func (b *Bounds) weigh(v cty.Value, times int) {
	before := b.left
	b.measure(v, 0, b.left-maxParts)
	b.spend((before - b.left) * (times - 1))
}

// measure spends the size of a value. What occurs in it several times counts each time: it may be shared in memory, but
// whoever walks the value meets it each time.
func (b *Bounds) measure(v cty.Value, depth, least int) {
	if b.spend(1); b.left < least {
		stop("a value has more than %d parts", maxParts)
	}
	if v.IsNull() || !v.IsKnown() {
		return
	}
	t := v.Type()
	switch {
	case depth > maxDepth:
		stop("a value is nested more than %d levels deep", maxDepth)
	case t == cty.String:
		n := len(v.AsString())
		if n > maxText {
			stop("a text has %d bytes; the limit is %d", n, maxText)
		}
		b.spend(n / 8)
	case t == cty.Number:
		f := v.AsBigFloat()
		if e := f.MantExp(nil); f.IsInf() || e > maxBits || e < -maxBits {
			stop("a number is beyond all bounds")
		}
	case t.IsCollectionType() || t.IsTupleType() || t.IsObjectType():
		for it := v.ElementIterator(); it.Next(); {
			_, element := it.Element()
			b.measure(element, depth+1, least)
		}
	}
}

// counted is an expression whose result is measured, and which stops at the first error.
type counted struct {
	hclsyntax.Expression
	bounds *Bounds
	number bool // the result will be converted to a number
	times  int  // how often the result will be walked
	text   bool // the result will become a part of a text
}

// Value implements [hcl.Expression].
func (c *counted) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := c.Expression.Value(ctx)
	if diags.HasErrors() {
		panic(broken{diags: diags})
	}
	if c.number && v.IsKnown() && !v.IsNull() && v.Type() == cty.String && len(v.AsString()) > maxNumber {
		stop("a text of %d characters is no number", len(v.AsString()))
	}
	c.bounds.weigh(v, c.times)
	if c.text {
		v = spelled(v)
	}
	return v, diags
}

// spelled turns a whole number into a text. HCL would do that itself, but by way of all the digits that its numbers can have,
// which takes a hundred times as long.
func spelled(v cty.Value) cty.Value {
	if v.Type() != cty.Number || !v.IsKnown() || v.IsNull() {
		return v
	}
	if n, exact := v.AsBigFloat().Int64(); exact == big.Exact {
		return cty.StringVal(strconv.FormatInt(n, 10))
	}
	return v
}
