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
	maxSize      = 8 << 20
	maxNesting   = 32
	maxOperators = 1000 // signs that a parser recurses on and that a configuration has no use for
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
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
			if t.Type == hclsyntax.TokenTemplateInterp || t.Type == hclsyntax.TokenTemplateControl {
				operators++
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenMinus, hclsyntax.TokenBang, hclsyntax.TokenQuestion:
			operators++
		}
		if depth > maxNesting {
			return fmt.Sprintf("nested more than %d levels deep", maxNesting), t.Range.Start
		}
		if operators > maxOperators {
			return fmt.Sprintf("more than %d operators", maxOperators), t.Range.Start
		}
	}
	return "", hcl.Pos{}
}

func guardJSON(src []byte) (string, hcl.Pos) {
	depth, quoted := 0, false
	for i := 0; i < len(src); i++ {
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
