package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// forEach is the key that makes several blocks of one.
const forEach = "for_each"

// limits are what files may compute in all, and how they are read.
type limits struct {
	steps  int // of expressions
	blocks int // that for_each makes
	piece  int // bytes of a larger file, which are parsed at once
}

// usual are the limits that hold: a file of 2,000 services of 50 servers needs about half of them. What the parser makes of
// a text is a hundred times as large: that of a whole file of megabytes fits no cache, and each page of it is asked of the kernel.
var usual = limits{steps: 5_000_000, blocks: 200_000, piece: 64 << 10}

// instance is the body of a block with a context of its own, since for_each made it or a block around it.
type instance struct {
	hcl.Body
	ctx  *hcl.EvalContext
	each string
}

// expand replaces each block that has a for_each by the blocks that it stands for, and puts labels in that a key computes.
// Whoever reads the blocks afterwards sees neither key.
func (n *node) expand() {
	if n.ctx == nil {
		return
	}
	blocks := make(hcl.Blocks, 0, len(n.blocks))
	for _, b := range n.blocks {
		s := n.schema.block(b.Type)
		if s == nil || s.label == "" && !s.many {
			blocks = append(blocks, b)
			continue
		}
		attrs := special(b.Body, s)
		if len(attrs) == 0 {
			blocks = append(blocks, b)
			continue
		}
		if attr := attrs[forEach]; attr != nil {
			blocks = append(blocks, n.repeat(s, b, attr, attrs[s.label])...)
		} else if one := n.relabel(s, b, &instance{b.Body, n.ctx, n.each}, attrs[s.label], ""); one != nil {
			blocks = append(blocks, one)
		}
	}
	n.blocks = blocks
}

// special returns the keys of a block that [node.expand] reads: for_each, and the one that computes its label.
func special(body hcl.Body, s *schema) hcl.Attributes {
	if native, ok := body.(*hclsyntax.Body); ok {
		var attrs hcl.Attributes
		for _, key := range []string{forEach, s.label} {
			if a, ok := native.Attributes[key]; ok && key != "" {
				put((*map[string]*hcl.Attribute)(&attrs), key, a.AsHCLAttribute())
			}
		}
		return attrs
	}
	want := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: forEach}}}
	if s.label != "" {
		want.Attributes = append(want.Attributes, hcl.AttributeSchema{Name: s.label})
	}
	content, _, _ := body.PartialContent(want) // mistakes are reported when the whole body is read
	return content.Attributes
}

// repeat makes the blocks of a for_each.
func (n *node) repeat(s *schema, b *hcl.Block, attr, label *hcl.Attribute) hcl.Blocks {
	what := n.prefix() + b.Type
	if len(b.Labels) > 0 {
		what += " " + strconv.Quote(b.Labels[len(b.Labels)-1])
	}
	m := &node{decoder: n.decoder, place: place{what: what, at: b.DefRange.Start, path: n.path}, ctx: n.ctx, each: n.each}
	all, ok := m.eval(attr.Expr, "", forEach)
	if !ok {
		n.lacking()
		return nil
	}
	t := all.Type()
	if all.IsNull() || !(t.IsTupleType() || t.IsListType() || t.IsSetType() || t.IsMapType() || t.IsObjectType()) {
		m.report("", attr.Expr.StartRange().Start, `a list, as in ["a", "b"], or a map, as in { a = 80, b = 443 }`, "%s: for_each must be a list or a map, not %s", what, describe(all))
		n.lacking()
		return nil
	}
	var blocks hcl.Blocks
	index := 0
	for it := all.ElementIterator(); it.Next(); index++ {
		if !n.afford(1, attr.Expr.StartRange().Start) {
			break
		}
		key, value := it.Element()
		if t.IsSetType() {
			key = value
		}
		name := suffix(t, key, value, index)
		e := &instance{b.Body, n.with(b.Type, key, value), strings.TrimPrefix(n.each+", "+fmt.Sprintf("%s %q", b.Type, name), ", ")}
		if one := n.relabel(s, b, e, label, name); one != nil {
			blocks = append(blocks, one)
		}
	}
	return blocks
}

// lacking notes that blocks are missing because of an error, so that nothing is reported just because they are.
func (n *node) lacking() {
	if n.path == "" {
		n.lacks = true
	} else {
		n.broken = true
	}
}

// afford counts the blocks that for_each makes, those inside them included. If there are too many it returns false, and
// reports that the first time.
func (n *node) afford(blocks int, at hcl.Pos) bool {
	before := n.made
	n.made += blocks
	if n.made <= n.limits.blocks {
		return true
	}
	if before <= n.limits.blocks {
		n.report("", at, "", "for_each makes more than %d blocks", n.limits.blocks)
	}
	n.broken = true
	return false
}

// worthwhile reports whether a body that for_each made is still to be read: not if there are too many blocks, or more
// problems than are reported.
func (n *node) worthwhile(body hcl.Body) bool {
	if n.more > 0 {
		n.broken = true
		return false
	}
	steps := 1
	if native, ok := body.(*hclsyntax.Body); ok {
		steps += len(native.Attributes)
		if !n.afford(len(native.Blocks), n.at) {
			return false
		}
	}
	if err := n.bounds.Spend(steps); err != nil {
		if !n.over {
			n.report("", n.at, "", "%s%v", n.prefix(), err)
		}
		n.over, n.broken = true, true
		return false
	}
	return true
}

// with returns the context of one element: it is called each, and also by the kind of the block, under which it can still be
// reached where another for_each inside hides the first name.
func (n *node) with(kind string, key, value cty.Value) *hcl.EvalContext {
	each := cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
	ctx := n.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"each": each, kind: each}
	return ctx
}

// suffix is what tells an element from the others: the key in a map, the value itself in a list of texts or numbers, else
// its position.
func suffix(t cty.Type, key, value cty.Value, index int) string {
	if t.IsMapType() || t.IsObjectType() {
		return key.AsString()
	}
	if value.IsKnown() && !value.IsNull() {
		switch value.Type() {
		case cty.String:
			return value.AsString()
		case cty.Number:
			return number(value)
		}
	}
	return strconv.Itoa(index)
}

// relabel returns a block with the label that a key computes. Without that key the element is appended to a label that is a
// name, and takes the place of one that is not, such as an address.
func (n *node) relabel(s *schema, b *hcl.Block, body *instance, label *hcl.Attribute, element string) *hcl.Block {
	c := *b
	c.Body = body
	if s.label == "" {
		return &c
	}
	last := len(b.Labels) - 1
	c.Labels = append([]string(nil), b.Labels...)
	c.LabelRanges = append([]hcl.Range(nil), b.LabelRanges...)
	switch {
	case label != nil:
		m := &node{decoder: n.decoder, place: place{what: n.prefix() + b.Type + " " + strconv.Quote(b.Labels[last])}, ctx: body.ctx, each: body.each}
		i := item{node: m, key: s.label, expr: label.Expr}
		text, ok := i.text()
		if !ok {
			n.broken = true
			return nil
		}
		c.Labels[last], c.LabelRanges[last] = text, label.Expr.StartRange()
	case s.label == "name":
		c.Labels[last] += "-" + element
	default:
		c.Labels[last] = element
	}
	return &c
}
