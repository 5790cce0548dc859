package config

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on input that no person and no generator reaches. The parsers below recurse; what is within
// these limits cannot exhaust their stack.
const (
	maxSize    = 8 << 20
	maxNesting = 32
	maxDigits  = 64   // reading a number takes time in the square of its length
	maxStrange = 1000 // operators, templates, splats: the parser recurses on each, and no value has any
)

// guard refuses input that is too large or nested too deeply to be handed to a parser. It returns
// what is wrong and where, or "".
func guard(src []byte, isJSON bool) (text string, at hcl.Pos) {
	if len(src) > maxSize {
		return fmt.Sprintf("the file has %d bytes; the limit is %d", len(src), maxSize), hcl.Pos{}
	}
	if isJSON {
		return guardJSON(src)
	}
	return guardNative(src)
}

func guardNative(src []byte) (string, hcl.Pos) {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	depth, strange := 0, 0
	last := hclsyntax.TokenNewline
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace:
			depth++
		case hclsyntax.TokenOBrack:
			depth++
			if last == hclsyntax.TokenCBrack || last == hclsyntax.TokenIdent {
				strange++ // an index
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack:
			depth--
		case hclsyntax.TokenIdent, hclsyntax.TokenEqual, hclsyntax.TokenComma, hclsyntax.TokenNewline, hclsyntax.TokenComment,
			hclsyntax.TokenNumberLit, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenStringLit, hclsyntax.TokenCHeredoc, hclsyntax.TokenEOF:
		default:
			strange++
		}
		last = t.Type
		if depth > maxNesting {
			return fmt.Sprintf("nested more than %d levels deep", maxNesting), t.Range.Start
		}
		if strange > maxStrange {
			return fmt.Sprintf("more than %d signs that mean nothing here", maxStrange), t.Range.Start
		}
		if t.Type == hclsyntax.TokenNumberLit && len(t.Bytes) > maxDigits {
			return fmt.Sprintf("a number of more than %d digits", maxDigits), t.Range.Start
		}
	}
	return "", hcl.Pos{}
}

func guardJSON(src []byte) (string, hcl.Pos) {
	depth, quoted, digits := 0, false, 0
	for i := 0; i < len(src); i++ {
		if c := src[i]; !quoted && c >= '0' && c <= '9' {
			digits++
		} else {
			digits = 0
		}
		if digits > maxDigits {
			return fmt.Sprintf("a number of more than %d digits", maxDigits), posJSON(src, i)
		}
		switch c := src[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == 'n': // a block that is null would vanish without a word
			return "null is not a value", posJSON(src, i)
		}
		if depth > maxNesting {
			return fmt.Sprintf("nested more than %d levels deep", maxNesting), posJSON(src, i)
		}
	}
	return "", hcl.Pos{}
}

func posJSON(src []byte, i int) hcl.Pos {
	return hcl.Pos{Line: 1 + bytes.Count(src[:i], []byte("\n")), Column: i - bytes.LastIndexByte(src[:i], '\n')}
}
