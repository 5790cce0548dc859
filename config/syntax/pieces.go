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

// Cut cuts a file into pieces of about size bytes. It cuts behind lines that are a closing brace and nothing else: in a file
// of the usual layout each of these ends a block of the top level. Where one does not, the pieces on both sides cannot be parsed.
func Cut(src []byte, size int) []Piece {
	var all []Piece
	bom := []byte("\ufeff") // allowed at the beginning of a file only, so that no piece may begin with one
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

// behindBrace returns the end of the first line behind from that is a closing brace and nothing else, or -1.
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

// Parsed is what the parser made of a piece. There are only blocks in it, and no attributes, of which the
// parser would find that another piece has them, too. One block may not be closed, or a brace may be stray.
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
