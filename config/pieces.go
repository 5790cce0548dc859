package config

import (
	"bytes"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/config/syntax"
	"github.com/quorate/quorate/fsm"
)

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

// inPieces reads files piece by piece. It returns nil where the result might differ from that of reading them whole: if there is
// an error of syntax other than a block that is not closed or a brace that closes none, or if a limit was reached, since then
// it matters what is read first.
func inPieces(files []File, l limits) *reading {
	if !slices.ContainsFunc(files, func(f File) bool { return f.native() && len(f.Src) > l.piece }) {
		return nil
	}
	r := &reading{notes: newComputing(l)}
	var waiting []*node // until all locals are read: they may stand behind the blocks that need them
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

// openInPieces parses a file piece by piece and hands the top level of each piece to take, up to the first block that is not
// closed or brace that closes none. It returns false if there is any other error of syntax.
func (r *reading) openInPieces(f File, take func(top *node)) bool {
	if !f.native() {
		d, top := r.open(f.Name, f.Src, clusterSchema())
		r.decoders = append(r.decoders, d)
		if top != nil && !d.broken {
			take(top)
		}
		return top != nil && !d.broken
	}
	if text, _ := syntax.TooLarge(f.Src); text != "" {
		return false
	}
	d := &decoder{notes: r.notes, file: f.Name, src: f.Src}
	r.decoders = append(r.decoders, d)
	ended := false // by a stray brace, behind which the parser reads nothing
	for p := range d.parsed(syntax.Cut(f.Src, r.limits.piece)) {
		switch {
		case p.Body == nil || p.Stray != nil && d.unbalanced != nil && !ended: // it may close what a piece before does not
			return false
		case ended:
		case p.Stray != nil:
			d.broken, d.unbalanced, ended = true, p.Stray, true
		case p.Unclosed != nil: // the last is the one that the parser tells of
			d.broken, d.unbalanced = true, p.Unclosed
		case d.unbalanced == nil:
			take(d.top(clusterSchema(), p.Body))
		}
	}
	return true
}

// parsed parses pieces, as many at once as there are processors, and gives them in their order; one that cannot be parsed by
// itself has no body.
func (d *decoder) parsed(all []syntax.Piece) iter.Seq[syntax.Parsed] {
	return func(yield func(syntax.Parsed) bool) {
		var parsing sync.WaitGroup
		defer parsing.Wait()
		ready := make([]chan syntax.Parsed, len(all))
		parse := func(i int) {
			ready[i] = make(chan syntax.Parsed, 1)
			parsing.Go(func() {
				p, ok := all[i].Parse(d.file)
				if ok {
					d.bounds.Bind(p.Body)
				}
				ready[i] <- p
			})
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

// unbalanced reports whether a block of the files is not closed, or a brace closes none. Then that alone is reported: even blocks
// before it may need locals behind it.
func (r *reading) unbalanced() bool {
	return slices.ContainsFunc(r.decoders, func(d *decoder) bool { return d.unbalanced != nil })
}

// syntaxAlone returns a reading of the same files that reports the blocks that are not closed and the stray braces, nothing else.
func (r *reading) syntaxAlone(l limits) *reading {
	alone := &reading{notes: newComputing(l), decoders: r.decoders}
	for _, d := range r.decoders {
		if d.notes = alone.notes; d.unbalanced != nil {
			d.syntax(hcl.Diagnostics{d.unbalanced})
		}
	}
	return alone
}
