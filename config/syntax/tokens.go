package syntax

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on a value that no person and no generator reaches. The parser recurses; what is within these
// limits cannot exhaust its stack.
const (
	maxNesting = 32
	maxDigits  = 64  // reading a number takes time in the square of its length
	maxInValue = 400 // operators, references, templates: the parser recurses on each
	maxPower   = 3   // digits of an exponent
)

// level is a brace, a bracket, a parenthesis or a template that is open.
type level struct {
	signs int  // since the last comma, or the beginning of the line
	lines bool // a value in it ends with the line
	fresh bool // there is nothing in it yet
}

// Tokens looks at tokens before they are parsed. It returns which limit they exceed, and where, or "".
func Tokens(tokens hclsyntax.Tokens) (text string, at hcl.Pos) {
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
		switch deeper := nests(t.Type); {
		case deeper > 0:
			levels = append(levels, level{lines: t.Type == hclsyntax.TokenOBrace, fresh: true})
		case deeper < 0 && len(levels) > 1:
			sum -= levels[len(levels)-1].signs
			levels = levels[:len(levels)-1]
		}
		last = t.Type
		switch {
		case len(levels)-1 > maxNesting:
			return fmt.Sprintf("nested more than %d levels deep", maxNesting), t.Range.Start
		case sum > maxInValue:
			return fmt.Sprintf("more than %d signs in one value", maxInValue), t.Range.Start
		case t.Type == hclsyntax.TokenNumberLit && len(t.Bytes) > maxDigits:
			return fmt.Sprintf("a number of more than %d digits", maxDigits), t.Range.Start
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

// nests is 1 for a token that opens a bracket, and -1 for one that closes it.
func nests(t hclsyntax.TokenType) int {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return 1
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return -1
	}
	return 0
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
