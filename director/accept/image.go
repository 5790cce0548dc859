package accept

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// image is a table as the kernel shows it.
type image struct {
	there bool
	table Table               // what it was made from; not of the kernel
	parts [][]byte            // chains, sets and rules, counters apart
	keys  map[string][][]byte // of the elements, in order, by set
}

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// same reports whether two images show one thing. Handles are among what is compared, so that a table which
// somebody removed and loaded again is another one.
func (i image) same(other image) bool {
	if i.there != other.there || !slices.EqualFunc(i.parts, other.parts, bytes.Equal) {
		return false
	}
	return !slices.ContainsFunc(sets, func(s set) bool { return !slices.EqualFunc(i.keys[s.name], other.keys[s.name], bytes.Equal) })
}

// holds reports whether the elements are those of a table.
func (i image) holds(t Table) bool {
	if !i.there {
		return len(t) == 0
	}
	return !slices.ContainsFunc(sets, func(s set) bool { return !slices.EqualFunc(i.keys[s.name], s.keys(t), bytes.Equal) })
}

// look reads what the kernel has.
func (h *Host) look() (image, error) {
	out := image{keys: map[string][][]byte{}}
	_, err := h.requests.ask(unix.NFT_MSG_GETTABLE, 0, text(unix.NFTA_TABLE_NAME, tableName))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.there = true
	ours := text(unix.NFTA_TABLE_NAME, tableName) // the first attribute of each of these
	for _, kind := range []uint16{unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_GETSET, unix.NFT_MSG_GETRULE} {
		all, err := h.requests.list(kind, ours)
		if err != nil {
			return out, err
		}
		for _, a := range all {
			if bytes.HasPrefix(a, ours) { // old kernels list those of all tables
				out.parts = append(out.parts, uncounted(a))
			}
		}
	}
	for _, s := range sets {
		all, err := h.requests.list(unix.NFT_MSG_GETSETELEM, append(slices.Clone(ours), text(unix.NFTA_SET_ELEM_LIST_SET, s.name)...))
		if errors.Is(err, unix.ENOENT) {
			continue // somebody has removed it
		}
		if err != nil {
			return out, err
		}
		for _, a := range all {
			keys, err := elementKeys(a)
			if err != nil {
				return out, err
			}
			out.keys[s.name] = append(out.keys[s.name], keys...)
		}
		slices.SortFunc(out.keys[s.name], bytes.Compare)
	}
	return out, nil
}

// elementKeys returns the keys in one message of a set's elements.
func elementKeys(message []byte) (keys [][]byte, err error) {
	inner := func(b []byte, want uint16, f func([]byte)) {
		err = errors.Join(err, attrs(b, func(kind uint16, value []byte) {
			if kind == want {
				f(value)
			}
		}))
	}
	inner(message, unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(list []byte) {
		inner(list, unix.NFTA_LIST_ELEM, func(element []byte) {
			inner(element, unix.NFTA_SET_ELEM_KEY, func(key []byte) {
				inner(key, unix.NFTA_DATA_VALUE, func(value []byte) { keys = append(keys, value) })
			})
		})
	})
	return keys, err
}

// uncounted returns a chain, set or rule without what counters say: all that follows the head of an expression
// of that name, up to the next one. What cannot be read is returned whole.
func uncounted(part []byte) []byte {
	var out []byte
	err := attrs(part, func(kind uint16, value []byte) {
		if kind != unix.NFTA_RULE_EXPRESSIONS {
			out = attr(out, kind, value)
			return
		}
		if attrs(value, func(kind uint16, e []byte) {
			if !bytes.HasPrefix(e, text(unix.NFTA_EXPR_NAME, "counter")) {
				out = attr(out, kind, e)
			}
		}) != nil {
			out = append(out, value...)
		}
	})
	if err != nil {
		return part
	}
	return out
}
