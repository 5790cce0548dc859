package config

import (
	"bytes"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/quorate/quorate/fsm"
)

// piece is a part of a file.
type piece struct {
	src []byte
	at  hcl.Pos
}

// pieces cuts a file into parts of so many bytes, or a little more, behind lines that are a closing brace and nothing else:
// where people and programs write files as they are used to, each ends a block of the top level. Where one is in the middle
// of something, the parts on both sides of it cannot be parsed.
func pieces(src []byte, size int) []piece {
	var all []piece
	bom := []byte("\ufeff") // which is allowed at the beginning, and nowhere else
	for at := hcl.InitialPos; ; {
		cut := -1
		if len(src) > size {
			cut = behindBrace(src, size)
		}
		if cut < 0 || cut == len(src) || bytes.HasPrefix(src[cut:], bom) {
			return append(all, piece{src, at})
		}
		all = append(all, piece{src[:cut], at})
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

// mayHaveLocals reports whether a file has locals, as far as its bytes tell.
func mayHaveLocals(f File) bool {
	word := []byte("locals")
	if !f.native() {
		return bytes.Contains(f.Src, word) || bytes.IndexByte(f.Src, '\\') >= 0 // by which JSON writes any letter
	}
	for src := f.Src; ; {
		before, behind, found := bytes.Cut(src, word)
		if !found {
			return false
		}
		// The word begins a block of the top level where a line begins with it, or a comment that ends in the line is before it.
		before = bytes.TrimRight(before, " \t\ufeff")
		if len(before) == 0 || bytes.HasSuffix(before, []byte("\n")) || bytes.HasSuffix(before, []byte("*/")) {
			return true
		}
		src = behind
	}
}

// inPieces reads files piece by piece. It returns nil where that is not the same as to read them whole: if their syntax is
// wrong in another way than that a block is not closed or a brace closes none, or so much is wrong or computed that it matters what is read first.
func inPieces(files []File, l limits) *reading {
	if !slices.ContainsFunc(files, func(f File) bool { return f.native() && len(f.Src) > l.piece }) {
		return nil
	}
	r := &reading{notes: newComputing(l)}
	var waiting []*node // for the locals, which may stand behind what needs them
	wait := slices.ContainsFunc(files, mayHaveLocals)
	take := func(top *node) {
		if waiting = append(waiting, top); !wait {
			r.read(waiting)
			waiting = nil
		}
	}
	for _, f := range files {
		if !r.openInPieces(f, take) {
			return nil
		}
	}
	if r.unbalanced() {
		return r.syntaxAlone(l)
	}
	if wait {
		r.read(waiting)
	}
	if r.over || r.made > l.blocks || r.more > 0 {
		return nil
	}
	return r
}

// openInPieces parses a file piece by piece, and gives the top level of each before a block that is not closed or a brace that
// closes none. It returns false if something else is wrong with its syntax.
func (r *reading) openInPieces(f File, take func(top *node)) bool {
	if !f.native() {
		d, top := r.open(f.Name, f.Src, clusterSchema())
		r.decoders = append(r.decoders, d)
		if top != nil && !d.broken {
			take(top)
		}
		return top != nil && !d.broken
	}
	if text, _ := tooLarge(f.Src); text != "" {
		return false
	}
	d := &decoder{notes: r.notes, file: f.Name, src: f.Src}
	r.decoders = append(r.decoders, d)
	ended := false // by a stray brace, behind which the parser reads nothing
	for p := range d.parsed(pieces(f.Src, r.limits.piece)) {
		switch {
		case p.body == nil || p.stray != nil && d.unbalanced != nil && !ended: // it may close what a piece before does not
			return false
		case ended:
		case p.stray != nil:
			d.broken, d.unbalanced, ended = true, p.stray, true
		case p.unclosed != nil: // the last is the one that the parser tells of
			d.broken, d.unbalanced = true, p.unclosed
		case d.unbalanced == nil:
			take(d.top(clusterSchema(), p.body))
		}
	}
	return true
}

// parsedPiece is what the parser made of a piece: a body of nothing but blocks, of which no two can be the same thing for
// the parser, and one of them may not be closed, or a brace be stray. It has no body of another piece.
type parsedPiece struct {
	body            *hclsyntax.Body
	unclosed, stray *hcl.Diagnostic
}

// parsed parses pieces, as many at once as there are processors, and gives them in their order.
func (d *decoder) parsed(all []piece) iter.Seq[parsedPiece] {
	return func(yield func(parsedPiece) bool) {
		var parsing sync.WaitGroup
		defer parsing.Wait()
		ready := make([]chan parsedPiece, len(all))
		parse := func(i int) {
			ready[i] = make(chan parsedPiece, 1)
			parsing.Go(func() { ready[i] <- d.parsePiece(all[i]) })
		}
		ahead := min(runtime.GOMAXPROCS(0), len(all))
		for i := range ahead {
			parse(i)
		}
		for i := range all {
			p := <-ready[i]
			if ready[i] = nil; i+ahead < len(all) {
				parse(i + ahead)
			}
			if !yield(p) {
				return
			}
		}
	}
}

// parsePiece parses a piece.
func (d *decoder) parsePiece(p piece) (parsed parsedPiece) {
	defer func() { // the parser fails again where the file is read whole, and whoever asked for that can see to it
		if recover() != nil {
			parsed = parsedPiece{}
		}
	}()
	if text, _ := guardNative(p.src); text != "" {
		return parsedPiece{}
	}
	file, diags := hclsyntax.ParseConfig(p.src, d.file, p.at)
	open, extra := unclosed(diags), stray(diags, p.src, p.at.Byte)
	if len(diags) > 1 || len(diags) == 1 && open == nil && extra == nil {
		return parsedPiece{}
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Attributes) > 0 {
		return parsedPiece{}
	}
	d.bounds.Bind(body)
	return parsedPiece{body, open, extra}
}

// reading is what has been read of the files of a configuration.
type reading struct {
	*notes
	decoders []*decoder
	c        fsm.Config
}

// read reads the top level of files, or of pieces of them, with their locals.
func (r *reading) read(tops []*node) {
	r.locals(tops)
	for _, top := range tops {
		top.cluster(&r.c)
	}
}

// unbalanced reports whether a block of the files is not closed, or a brace closes none. Then nothing else is said of them,
// since even what stands before it may need the locals behind it.
func (r *reading) unbalanced() bool {
	return slices.ContainsFunc(r.decoders, func(d *decoder) bool { return d.unbalanced != nil })
}

// syntaxAlone is a reading of the same files that says which blocks are not closed and which braces are stray, and no more.
func (r *reading) syntaxAlone(l limits) *reading {
	alone := &reading{notes: newComputing(l), decoders: r.decoders}
	for _, d := range r.decoders {
		if d.notes = alone.notes; d.unbalanced != nil {
			d.syntax(hcl.Diagnostics{d.unbalanced})
		}
	}
	return alone
}
