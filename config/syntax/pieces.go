package syntax

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Piece is a part of a file.
type Piece struct {
	src []byte
	at  hcl.Pos
}

// Cut cuts a file into parts of so many bytes, or a little more, behind lines that are a closing brace and nothing else:
// where people and programs write files as they are used to, each ends a block of the top level. Where one is in the middle
// of something, the parts on both sides of it cannot be parsed.
func Cut(src []byte, size int) []Piece {
	var all []Piece
	bom := []byte("\ufeff") // which is allowed at the beginning, and nowhere else
	for at := hcl.InitialPos; ; {
		cut := -1
		if len(src) > size {
			cut = behindBrace(src, size)
		}
		if cut < 0 || cut == len(src) || bytes.HasPrefix(src[cut:], bom) {
			return append(all, Piece{src, at})
		}
		all = append(all, Piece{src[:cut], at})
		at.Line += bytes.Count(src[:cut], []byte("\n"))
		at.Byte += cut
		src = src[cut:]
	}
}

// behindBrace returns where the first line ends, from some place on, that is a closing brace and nothing else, or -1.
func behindBrace(src []byte, from int) int {
	for {
		i := bytes.Index(src[from:], []byte("\n}"))
		if i < 0 {
			return -1
		}
		from += i + len("\n}")
		for _, end := range []string{"\n", "\r\n"} {
			if bytes.HasPrefix(src[from:], []byte(end)) {
				return from + len(end)
			}
		}
	}
}

// Parsed is what the parser made of a piece: a body of nothing but blocks, of which no two can be the same thing for
// the parser, and one of them may not be closed, or a brace be stray.
type Parsed struct {
	Body            *hclsyntax.Body
	Unclosed, Stray *hcl.Diagnostic
}

// Parse parses a piece of a file. It returns false if anything else is wrong with it.
func (p Piece) Parse(filename string) (parsed Parsed, ok bool) {
	defer func() { // the parser fails again where the file is read whole, and whoever asked for that can see to it
		if recover() != nil {
			parsed, ok = Parsed{}, false
		}
	}()
	if text, _ := guardNative(p.src); text != "" {
		return Parsed{}, false
	}
	file, diags := hclsyntax.ParseConfig(p.src, filename, p.at)
	open, extra := Unclosed(diags), Stray(diags, p.src, p.at.Byte)
	if len(diags) > 1 || len(diags) == 1 && open == nil && extra == nil {
		return Parsed{}, false
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Attributes) > 0 {
		return Parsed{}, false
	}
	return Parsed{body, open, extra}, true
}
