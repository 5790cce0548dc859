package imported

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Place is a line of a file, or a part of one.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Part int    `json:"-"` // which of the constructs there: a line can have several, and a macro makes more of it. 0: the line
}

// line is the whole line.
func (p Place) line() Place {
	p.Part = 0
	return p
}

func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Part, q.Part))
}

// Fate is what becomes of a construct.
type Fate string

// The fates.
const (
	Carried Fate = "carried over"
	Differs Fate = "carried over with a difference"
	Dropped Fate = "not carried over"
)

// Note says what became of a construct, in one place or in several.
type Note struct {
	Fate    Fate    `json:"fate"`
	Keyword string  `json:"keyword"` // with the block that it is in: vrrp_instance priority
	Text    string  `json:"text"`
	Places  []Place `json:"places"` // lines, at most 100 of them
	Count   int     `json:"count"`  // of lines

	seen  map[Place]int // in which order they were added
	added int
	lines map[Place]bool // of Count
}

// maxPlaces bounds the places that a note names.
const maxPlaces = 100

// Notes collects what became of all constructs. The same words about several places are one note.
type Notes struct {
	all   []*Note
	known map[noteKey]*Note
}

type noteKey struct {
	fate          Fate
	keyword, text string
}

// Add says what became of a construct in one place.
func (n *Notes) Add(fate Fate, at Place, keyword, text string) {
	if n.known == nil {
		n.known = make(map[noteKey]*Note)
	}
	key := noteKey{fate, keyword, text}
	one, ok := n.known[key]
	if !ok {
		one = &Note{Fate: fate, Keyword: keyword, Text: text, seen: make(map[Place]int)}
		n.known[key] = one
		n.all = append(n.all, one)
	}
	if _, ok := one.seen[at]; !ok {
		one.seen[at] = one.added
		one.added++
	}
}

// Carried says that a construct is carried over.
func (n *Notes) Carried(at Place, keyword, format string, args ...any) {
	n.Add(Carried, at, keyword, fmt.Sprintf(format, args...))
}

// Differs says that a construct is carried over with a difference.
func (n *Notes) Differs(at Place, keyword, format string, args ...any) {
	n.Add(Differs, at, keyword, fmt.Sprintf(format, args...))
}

// Dropped says that a construct is not carried over.
func (n *Notes) Dropped(at Place, keyword, format string, args ...any) {
	n.Add(Dropped, at, keyword, fmt.Sprintf(format, args...))
}

// Instead says what became of a construct, and takes back that it was carried over, as was said when it was read.
func (n *Notes) Instead(fate Fate, at Place, keyword, format string, args ...any) {
	n.takeBack(at, keyword, Carried)
	n.Add(fate, at, keyword, fmt.Sprintf(format, args...))
}

// Retract takes back that a construct is carried over, with a difference or without.
func (n *Notes) Retract(at Place, keyword string) { n.takeBack(at, keyword, Carried, Differs) }

// takeBack takes some fates of a construct back.
func (n *Notes) takeBack(at Place, keyword string, fates ...Fate) {
	for _, one := range n.all {
		if one.Keyword == keyword && slices.Contains(fates, one.Fate) {
			delete(one.seen, at)
		}
	}
	n.tidy()
}

// is reports whether a note is of a construct.
func (n *Note) is(at Place) bool {
	_, ok := n.seen[at]
	return ok
}

// places sets the lines that a note names, in the order in which they were added.
func (n *Note) places() {
	order := make([]*Place, n.added) // nil: it was taken back
	for at, i := range n.seen {
		line := at.line()
		order[i] = &line
	}
	n.Places, n.lines = nil, make(map[Place]bool)
	for _, at := range order {
		if at == nil || n.lines[*at] {
			continue
		}
		line := *at
		n.lines[line] = true
		if len(n.Places) < maxPlaces {
			n.Places = append(n.Places, line)
		}
	}
	n.Count = len(n.lines)
}

// tidy takes out the notes that are of no place any more.
func (n *Notes) tidy() {
	n.all = slices.DeleteFunc(n.all, func(one *Note) bool {
		if len(one.seen) == 0 {
			delete(n.known, noteKey{one.Fate, one.Keyword, one.Text})
		}
		return len(one.seen) == 0
	})
}

// Missed reports whether a construct was noted as not carried over.
func (n *Notes) Missed(at Place, keyword string) bool {
	return slices.ContainsFunc(n.all, func(one *Note) bool { return one.Fate == Dropped && one.Keyword == keyword && one.is(at) })
}

// Told reports whether there is any note about a construct.
func (n *Notes) Told(at Place, keyword string) bool {
	return slices.ContainsFunc(n.all, func(one *Note) bool { return one.Keyword == keyword && one.is(at) })
}

// Lost returns the keywords of all that is not carried over, by place.
func (n *Notes) Lost() map[Place][]string {
	all := make(map[Place][]string)
	for _, one := range n.all {
		if one.Fate != Dropped {
			continue
		}
		for at := range one.seen {
			all[at] = append(all[at], one.Keyword)
		}
	}
	return all
}

// Loss is what there is to say of a construct that is not carried over.
type Loss struct {
	Keyword string // of the construct: what is said there of others goes with it. "": all that is said there is of it
	Text    string // "": nothing more, the reason is there
}

// Lose takes back what was said to be carried over at some places, and says what there is to say in its stead.
func (n *Notes) Lose(places map[Place]Loss) {
	for _, one := range slices.Clone(n.all) {
		if one.Fate == Dropped {
			continue
		}
		for _, at := range slices.SortedFunc(maps.Keys(one.seen), Place.compare) {
			loss, lost := places[at]
			if !lost {
				continue
			}
			delete(one.seen, at)
			if loss.Text != "" && (loss.Keyword == "" || loss.Keyword == one.Keyword) {
				n.Add(Dropped, at, one.Keyword, loss.Text)
			}
		}
	}
	n.tidy()
}

// Sorted returns the notes, what was not carried over first, then in the order of the files.
func (n *Notes) Sorted() []Note {
	rank := map[Fate]int{Dropped: 0, Differs: 1, Carried: 2}
	all := make([]Note, 0, len(n.all))
	for _, one := range n.all {
		one.places()
		all = append(all, *one)
	}
	slices.SortStableFunc(all, func(a, b Note) int {
		x, y := a.Places[0], b.Places[0]
		return cmp.Or(cmp.Compare(rank[a.Fate], rank[b.Fate]),
			cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return all
}

// String returns a note as one line, with the first of its places.
func (n Note) String() string {
	var b strings.Builder
	at := n.Places[0]
	fmt.Fprintf(&b, "%s:%d: %s: %s: %s", at.File, at.Line, n.Fate, n.Keyword, n.Text)
	if n.Count > 1 {
		var more []string
		for _, p := range n.Places[1:min(len(n.Places), 6)] {
			if p.File == at.File {
				more = append(more, fmt.Sprint(p.Line))
			} else {
				more = append(more, fmt.Sprintf("%s:%d", p.File, p.Line))
			}
		}
		if n.Count > 6 {
			more = append(more, fmt.Sprintf("%d more", n.Count-6))
		}
		fmt.Fprintf(&b, " (also %s)", strings.Join(more, ", "))
	}
	return b.String()
}

// Said reports whether a note is about a line.
func (n Note) Said(at Place) bool { return n.lines[at.line()] }
