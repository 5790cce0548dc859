package expr

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on input that no person and no generator reaches. The parser recurses; what is within these
// limits cannot exhaust its stack.
const (
	MaxNesting = 32
	MaxDigits  = 64  // reading a number takes time in the square of its length
	maxSigns   = 400 // operators, references, templates in one value: the parser recurses on each
	maxPower   = 3   // digits of an exponent
)

// level is what is open: a brace, a bracket, a parenthesis, a text or a template in it.
type level struct {
	signs int  // since its last comma, or line
	lines bool // the end of a line ends a value
	fresh bool // nothing stands in it yet
}

// Guard looks at tokens before they are parsed. It returns what is too much, and where, or "".
func Guard(tokens hclsyntax.Tokens) (text string, at hcl.Pos) {
	levels, sum := []level{{lines: true}}, 0
	last := hclsyntax.TokenNewline
	for _, t := range tokens {
		top := &levels[len(levels)-1]
		switch t.Type {
		case hclsyntax.TokenComma:
			sum, top.signs = sum-top.signs, 0
		case hclsyntax.TokenNewline, hclsyntax.TokenComment: // some comments take their line's end with them
			if top.lines && bytes.HasSuffix(t.Bytes, []byte("\n")) {
				sum, top.signs = sum-top.signs, 0
			}
		case hclsyntax.TokenIdent:
			if top.fresh && bytes.Equal(t.Bytes, []byte("for")) {
				top.lines = false
			}
		}
		if counts(t.Type, last) {
			top.signs++
			sum++
		}
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			top.fresh = false
		}
		switch {
		case opens(t.Type):
			levels = append(levels, level{lines: t.Type == hclsyntax.TokenOBrace, fresh: true})
		case closes(t.Type) && len(levels) > 1:
			sum -= levels[len(levels)-1].signs
			levels = levels[:len(levels)-1]
		}
		last = t.Type
		switch {
		case len(levels)-1 > MaxNesting:
			return fmt.Sprintf("nested more than %d levels deep", MaxNesting), t.Range.Start
		case sum > maxSigns:
			return fmt.Sprintf("more than %d signs in one value", maxSigns), t.Range.Start
		case t.Type == hclsyntax.TokenNumberLit && len(t.Bytes) > MaxDigits:
			return fmt.Sprintf("a number of more than %d digits", MaxDigits), t.Range.Start
		case t.Type == hclsyntax.TokenNumberLit && power(t.Bytes) > maxPower:
			return "a number beyond all bounds", t.Range.Start
		}
	}
	return "", hcl.Pos{}
}

// power is how many digits an exponent has.
func power(number []byte) int {
	i := bytes.IndexAny(number, "eE")
	if i < 0 {
		return 0
	}
	return len(bytes.TrimLeft(number[i+1:], "+-0"))
}

func opens(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return true
	}
	return false
}

func closes(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return true
	}
	return false
}

// counts reports whether a token makes the parser, or what it builds, one level deeper.
func counts(t, last hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenIdent, hclsyntax.TokenEqual, hclsyntax.TokenComma, hclsyntax.TokenNewline, hclsyntax.TokenComment,
		hclsyntax.TokenNumberLit, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenStringLit, hclsyntax.TokenCHeredoc, hclsyntax.TokenEOF,
		hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return false
	case hclsyntax.TokenOBrack:
		return last == hclsyntax.TokenCBrack || last == hclsyntax.TokenIdent // an index
	}
	return true
}
