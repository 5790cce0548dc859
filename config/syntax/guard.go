package syntax

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on a file that no person and no generator reaches. Reading a sign costs a hundred times its byte.
const (
	MaxSize  = 8 << 20
	maxSigns = 2 << 20
)

// signs are the bytes that are a token each, and that stand in few texts.
const signs = "[](){}<>*?!&|$-+"

// Guard refuses a file that is too large or nested too deeply to be handed to a parser. It returns
// what is wrong and where, or "".
func Guard(src []byte, isJSON bool) (text string, at hcl.Pos) {
	if text, at := TooLarge(src); text != "" {
		return text, at
	}
	if isJSON {
		return guardJSON(src)
	}
	return guardNative(src)
}

// TooLarge refuses input by its size.
func TooLarge(src []byte) (text string, at hcl.Pos) {
	if len(src) > MaxSize {
		return fmt.Sprintf("the file has %d bytes; the limit is %d", len(src), MaxSize), hcl.Pos{}
	}
	n := 0
	for _, c := range src {
		if c < 0x80 && strings.IndexByte(signs, c) >= 0 {
			n++
		}
	}
	if n > maxSigns {
		return fmt.Sprintf("the file has %d brackets and other signs; the limit is %d", n, maxSigns), hcl.Pos{}
	}
	return "", hcl.Pos{}
}

func guardNative(src []byte) (string, hcl.Pos) {
	if plain(src) {
		return "", hcl.Pos{}
	}
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	return Tokens(tokens)
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
		}
		if depth > maxNesting {
			return fmt.Sprintf("nested more than %d levels deep", maxNesting), posJSON(src, i)
		}
	}
	return "", hcl.Pos{}
}

// maxNulls bounds how many of them are told; nobody mends more at once.
const maxNulls = 1000

// Nulls returns where null stands in JSON, the first of them: a block that is null would vanish without a word.
func Nulls(src []byte) (all []hcl.Pos) {
	quoted, line, start := false, 1, 0
	for i := 0; i < len(src) && len(all) < maxNulls; i++ {
		switch c := src[i]; {
		case c == '\n':
			line, start = line+1, i+1
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && letter(c):
			n := i
			for n < len(src) && letter(src[n]) {
				n++
			}
			if string(src[i:n]) == "null" {
				all = append(all, hcl.Pos{Line: line, Column: 1 + i - start, Byte: i})
			}
			i = n - 1
		}
	}
	return all
}

func posJSON(src []byte, i int) hcl.Pos {
	return hcl.Pos{Line: 1 + bytes.Count(src[:i], []byte("\n")), Column: i - bytes.LastIndexByte(src[:i], '\n')}
}
