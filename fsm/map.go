package fsm

import (
	"iter"
	"maps"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"sort"
)

// Map is a map by name of which no version ever changes: who puts something into it gets another one, which shares with it
// all but the few nodes on the way there. So a change among many thousands costs what it does among few, and what two
// versions do not share is what is another in one than in the other. The zero value is the empty map.
//
// It is a crit-bit tree: a branch names the first bit in which names below it differ, those with a 0 there on one side. Its
// shape depends on nothing but the names that are in it, so that equal maps are deeply equal; its order is that of the names;
// and it is no deeper than names have bits, or there are names.
type Map[V any] struct {
	root *node[V]
	size int
}

// node is a leaf, or a branch, which has both of its sides.
type node[V any] struct {
	bit   int // [noBit] in a leaf
	sides [2]*node[V]
	leaf  *leaf[V] // nil in a branch
}

type leaf[V any] struct {
	name  string
	value V
}

// noBit is behind all bits of any name.
const noBit = math.MaxInt

// bitOf returns a bit of a name: of each letter that there is a 1 and then its own eight, and only 0 behind the last. So
// names differ in their bits as they do in their order.
func bitOf(name string, bit int) int {
	at, within := bit/9, bit%9
	switch {
	case at >= len(name):
		return 0
	case within == 0:
		return 1
	default:
		return int(name[at]>>(8-within)) & 1
	}
}

// parting returns the first bit in which two names differ; noBit if they do not.
func parting(a, b string) int {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	switch {
	case at < len(a) && at < len(b):
		return 9*at + 1 + bits.LeadingZeros8(a[at]^b[at])
	case len(a) == len(b):
		return noBit
	default:
		return 9 * at
	}
}

// MapOf returns what is in a plain map.
func MapOf[V any](plain map[string]V) Map[V] {
	if len(plain) == 0 {
		return Map[V]{}
	}
	leaves := make([]*node[V], 0, len(plain))
	for _, name := range slices.Sorted(maps.Keys(plain)) {
		leaves = append(leaves, newLeaf(name, plain[name]))
	}
	return Map[V]{grown(leaves), len(leaves)}
}

func newLeaf[V any](name string, v V) *node[V] {
	return &node[V]{bit: noBit, leaf: &leaf[V]{name, v}}
}

// grown is the tree of leaves in their order: where the first and the last of them part, all do.
func grown[V any](leaves []*node[V]) *node[V] {
	if len(leaves) == 1 {
		return leaves[0]
	}
	bit := parting(leaves[0].leaf.name, leaves[len(leaves)-1].leaf.name)
	ones := sort.Search(len(leaves), func(i int) bool { return bitOf(leaves[i].leaf.name, bit) == 1 })
	return &node[V]{bit: bit, sides: [2]*node[V]{grown(leaves[:ones]), grown(leaves[ones:])}}
}

// Len is how many there are.
func (m Map[V]) Len() int { return m.size }

// IsZero reports whether there are none.
func (m Map[V]) IsZero() bool { return m.size == 0 }

// Lookup returns what has a name, and whether anything has.
func (m Map[V]) Lookup(name string) (v V, ok bool) {
	if at := m.at(name); at != nil {
		return *at, true
	}
	return v, false
}

// at returns where the value of a name is, which is not to be changed; nil if there is none.
func (m Map[V]) at(name string) *V {
	if m.root != nil {
		if l := m.root.nearest(name); l.name == name {
			return &l.value
		}
	}
	return nil
}

// Of returns what has a name; the zero value if nothing has.
func (m Map[V]) Of(name string) V {
	v, _ := m.Lookup(name)
	return v
}

// Has reports whether anything has a name.
func (m Map[V]) Has(name string) bool {
	return m.at(name) != nil
}

// nearest returns the leaf of a name if there is one; else one of those that have most of its first bits.
func (n *node[V]) nearest(name string) *leaf[V] {
	for n.leaf == nil {
		n = n.sides[bitOf(name, n.bit)]
	}
	return n.leaf
}

// All goes through all, in the order of the names.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		m.root.each(func(l *leaf[V]) bool { return yield(l.name, l.value) })
	}
}

// Names returns the names, sorted.
func (m Map[V]) Names() []string {
	names := slices.Grow([]string(nil), m.size)
	m.root.each(func(l *leaf[V]) bool {
		names = append(names, l.name)
		return true
	})
	return names
}

func (n *node[V]) each(do func(*leaf[V]) bool) bool {
	switch {
	case n == nil:
		return true
	case n.leaf != nil:
		return do(n.leaf)
	}
	return n.sides[0].each(do) && n.sides[1].each(do)
}

// With returns the map with v under a name, in the place of what had it.
func (m Map[V]) With(name string, v V) Map[V] {
	is := newLeaf(name, v)
	if m.root == nil {
		return Map[V]{is, 1}
	}
	parts := parting(name, m.root.nearest(name).name)
	if parts != noBit {
		m.size++
	}
	m.root = m.root.with(is, parts)
	return m
}

// with returns the tree with a leaf, whose name parts in a bit from those nearest to it.
func (n *node[V]) with(is *node[V], parts int) *node[V] {
	if n.leaf != nil && parts == noBit {
		return is
	}
	next := node[V]{bit: min(parts, n.bit), sides: n.sides}
	side := bitOf(is.leaf.name, next.bit)
	if parts < n.bit {
		next.sides[side], next.sides[1-side] = is, n
	} else {
		next.sides[side] = n.sides[side].with(is, parts)
	}
	return &next
}

// Without returns the map without what has a name.
func (m Map[V]) Without(name string) Map[V] {
	if !m.Has(name) {
		return m
	}
	return Map[V]{m.root.without(name), m.size - 1}
}

// without returns the tree without a name that is in it.
func (n *node[V]) without(name string) *node[V] {
	if n.leaf != nil {
		return nil
	}
	side := bitOf(name, n.bit)
	less := n.sides[side].without(name)
	if less == nil {
		return n.sides[1-side]
	}
	next := *n
	next.sides[side] = less
	return &next
}

// Only returns of the map what has one of some names.
func (m Map[V]) Only(names iter.Seq[string]) (some Map[V]) {
	for name := range names {
		if v, ok := m.Lookup(name); ok {
			some = some.With(name, v)
		}
	}
	return some
}

// Since returns the names of what may be another than it was in another version of the map, or is in only one of the two;
// in no order. It does not look into what they share: two of which one came of the other by a few changes cost those.
func (m Map[V]) Since(was Map[V]) iter.Seq[string] {
	return func(yield func(string) bool) { m.root.since(was.root, yield) }
}

// since goes through both sides of both trees: what has one name is on the same side in either.
func (n *node[V]) since(was *node[V], yield func(string) bool) bool {
	switch {
	case n == was:
		return true
	case n == nil:
		return was.each(func(l *leaf[V]) bool { return yield(l.name) })
	case was == nil:
		return n.each(func(l *leaf[V]) bool { return yield(l.name) })
	}
	bit := min(n.bit, was.bit)
	if bit == noBit {
		if bit = parting(n.leaf.name, was.leaf.name); bit == noBit {
			return yield(n.leaf.name)
		}
	}
	now, then := n.parted(bit), was.parted(bit)
	return now[0].since(then[0], yield) && now[1].since(then[1], yield)
}

// parted returns what is on either side of a bit, which is not behind that of the tree.
func (n *node[V]) parted(bit int) (sides [2]*node[V]) {
	if n.bit == bit {
		return n.sides
	}
	some := n
	for some.leaf == nil {
		some = some.sides[0]
	}
	sides[bitOf(some.leaf.name, bit)] = n
	return sides
}

// Equal reports whether two maps have the same in them.
func (m Map[V]) Equal(other Map[V]) bool { return reflect.DeepEqual(m, other) }

// MarshalJSON implements [json.Marshaler]: its text is that of a plain map.
func (m Map[V]) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for name, v := range m.All() {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(appendString(b, name), ':'), text(v)...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses a field that this version does not know, whatever the decoder does: in
// a state that would be lost. Who reads what a newer version says of itself decodes a plain map, as [MapOf] takes it.
func (m *Map[V]) UnmarshalJSON(text []byte) error {
	var plain map[string]V
	if err := strict(text, &plain); err != nil {
		return err
	}
	*m = MapOf(plain)
	return nil
}
