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

// pieces cuts a file into parts of so many bytes, or a little more, behind lines that are a closing brace and nothing else, which end a block of the top level
// where people and programs write files as they are used to. Where such a line is in the middle of something, the
// parts on both sides of it cannot be parsed.
func pieces(src []byte, size int) []piece {
	var all []piece
	end, bom := []byte("\n}\n"), []byte("\ufeff") // which is allowed at the beginning, and nowhere else
	for at := hcl.InitialPos; ; {
		i := -1
		if len(src) > size {
			i = bytes.Index(src[size:], end)
		}
		cut := size + i + len(end)
		if i < 0 || cut == len(src) || bytes.HasPrefix(src[cut:], bom) {
			return append(all, piece{src, at})
		}
		all = append(all, piece{src[:cut], at})
		at.Line += bytes.Count(src[:cut], []byte("\n"))
		at.Byte += cut
		src = src[cut:]
	}
}

// inPieces reads files piece by piece, and returns nil if something about their syntax is not as it should be: then
// what is wrong is said by who reads them whole. All else is the same either way.
func inPieces(files []File, l limits) *reading {
	if !slices.ContainsFunc(files, func(f File) bool { return f.native() && len(f.Src) > l.piece }) {
		return nil
	}
	r := &reading{notes: newComputing(l)}
	var waiting []*node // for the locals, which may stand behind what needs them
	named := slices.ContainsFunc(files, func(f File) bool { return bytes.Contains(f.Src, []byte("locals")) })
	take := func(top *node) {
		if waiting = append(waiting, top); !named {
			r.read(waiting)
			waiting = nil
		}
	}
	for _, f := range files {
		if !r.inPieces(f, take) {
			return nil
		}
	}
	if named {
		r.read(waiting)
	}
	return r
}

// inPieces parses a file piece by piece. It returns false if something is wrong with its syntax.
func (r *reading) inPieces(f File, take func(top *node)) bool {
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
	for body := range d.parsed(pieces(f.Src, r.limits.piece)) {
		if body == nil {
			return false
		}
		take(d.top(clusterSchema(), body))
	}
	return true
}

// parsed parses pieces, as many at once as there are processors, and gives them in their order.
func (d *decoder) parsed(all []piece) iter.Seq[*hclsyntax.Body] {
	return func(yield func(*hclsyntax.Body) bool) {
		var parsing sync.WaitGroup
		defer parsing.Wait()
		ready := make([]chan *hclsyntax.Body, len(all))
		parse := func(i int) {
			ready[i] = make(chan *hclsyntax.Body, 1)
			parsing.Go(func() { ready[i] <- d.parse(all[i]) })
		}
		ahead := min(runtime.GOMAXPROCS(0), len(all))
		for i := range ahead {
			parse(i)
		}
		for i := range all {
			body := <-ready[i]
			if ready[i] = nil; i+ahead < len(all) {
				parse(i + ahead)
			}
			if !yield(body) {
				return
			}
		}
	}
}

// parse reads a piece in which nothing is wrong, and only blocks are, of which no two can be the same thing for the
// parser. It returns nil for others.
func (d *decoder) parse(p piece) *hclsyntax.Body {
	if text, _ := guardNative(p.src); text != "" {
		return nil
	}
	file, diags := hclsyntax.ParseConfig(p.src, d.file, p.at)
	if len(diags) > 0 {
		return nil
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Attributes) > 0 {
		return nil
	}
	d.bounds.Bind(body)
	return body
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
