package fsm

import (
	"encoding/json"
	"slices"
)

const (
	requestsKept = 256 // the newest that are remembered
	requestsNew  = 16  // of which that many are copied at most with an entry
)

// Request is one that took effect.
type Request struct {
	ID    string `json:"id"`
	Index uint64 `json:"index"` // after that of any state from before it
}

// Requests are those that took effect, oldest first. Its text is that of one list. It is two, since nearly every entry adds to
// it: the older ones are shared by many states, and only the newest are copied.
type Requests struct{ older, newest []Request }

// Len is how many there are.
func (r Requests) Len() int { return len(r.older) + len(r.newest) }

// All returns all of them.
func (r Requests) All() []Request { return slices.Concat(r.older, r.newest) }

// Equal reports whether two are of the same requests.
func (r Requests) Equal(other Requests) bool { return slices.Equal(r.All(), other.All()) }

// IsZero reports whether there are none.
func (r Requests) IsZero() bool { return r.Len() == 0 }

// has tells whether a request is among them.
func (r Requests) has(id string) bool {
	is := func(r Request) bool { return r.ID == id }
	return slices.ContainsFunc(r.newest, is) || slices.ContainsFunc(r.older, is)
}

// with returns them with one more. If those are more than are kept the oldest is not among them, and gone is that one.
func (r Requests) with(one Request) (next Requests, gone Request) {
	if len(r.newest) < requestsNew {
		next = Requests{r.older, append(append(make([]Request, 0, len(r.newest)+1), r.newest...), one)}
	} else {
		next = Requests{r.All(), []Request{one}}
	}
	for next.Len() > requestsKept {
		gone, next.older = next.older[0], next.older[1:]
	}
	return next, gone
}

// MarshalJSON implements [json.Marshaler].
func (r Requests) MarshalJSON() ([]byte, error) { return json.Marshal(r.All()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Requests) UnmarshalJSON(text []byte) error {
	*r = Requests{}
	return strict(text, &r.older)
}

// ofRequests is [ofList] for what changes with nearly every entry.
func ofRequests(was, is Requests) sum {
	if gone := len(was.older) - len(is.older); len(is.older) > 0 && gone >= 0 && shared(was.older[gone:], is.older) {
		d := ofRequestList(was.older[:gone], nil)
		d.add(ofRequestList(was.newest, is.newest))
		return d
	}
	return ofRequestList(was.All(), is.All())
}

// ofRequestList walks through both lists at once. Both have the oldest first, so what is the same in both stands in both in
// the same order.
func ofRequestList(was, is []Request) (d sum) {
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(was) > 0 && len(is) > 0 && was[0] == is[0]:
			was, is = was[1:], is[1:]
		case len(is) == 0 || len(was) > 0 && was[0].Index <= is[0].Index:
			d.sub(was[0].object())
			was = was[1:]
		default:
			d.add(is[0].object())
			is = is[1:]
		}
	}
	return d
}
