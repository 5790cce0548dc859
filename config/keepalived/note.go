package keepalived

import (
	"cmp"
	"fmt"
	"slices"
)

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
	Places  []Place `json:"places"` // at most 100 of them
	Count   int     `json:"count"`  // of places

	seen map[Place]bool
}

// maxPlaces bounds the places that a note names.
const maxPlaces = 100

// notes collects what became of all constructs. What is said of many is said once.
type notes struct {
	all   []*Note
	known map[noteKey]*Note
}

type noteKey struct {
	fate          Fate
	keyword, text string
}

func (n *notes) add(fate Fate, at Place, keyword, text string) {
	if n.known == nil {
		n.known = make(map[noteKey]*Note)
	}
	key := noteKey{fate, keyword, text}
	one, ok := n.known[key]
	if !ok {
		one = &Note{Fate: fate, Keyword: keyword, Text: text, seen: make(map[Place]bool)}
		n.known[key] = one
		n.all = append(n.all, one)
	}
	if one.seen[at] {
		return
	}
	one.seen[at] = true
	one.Count++
	if len(one.Places) < maxPlaces {
		one.Places = append(one.Places, at)
	}
}

func (n *notes) carried(at Place, keyword, format string, args ...any) {
	n.add(Carried, at, keyword, fmt.Sprintf(format, args...))
}

func (n *notes) differs(at Place, keyword, format string, args ...any) {
	n.add(Differs, at, keyword, fmt.Sprintf(format, args...))
}

func (n *notes) dropped(at Place, keyword, format string, args ...any) {
	n.add(Dropped, at, keyword, fmt.Sprintf(format, args...))
}

// sorted returns the notes, what was not carried over first, then in the order of the files.
func (n *notes) sorted() []Note {
	rank := map[Fate]int{Dropped: 0, Differs: 1, Carried: 2}
	all := make([]Note, 0, len(n.all))
	for _, one := range n.all {
		all = append(all, *one)
	}
	slices.SortStableFunc(all, func(a, b Note) int {
		x, y := a.Places[0], b.Places[0]
		return cmp.Or(cmp.Compare(rank[a.Fate], rank[b.Fate]),
			cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return all
}
