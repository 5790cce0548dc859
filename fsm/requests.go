package fsm

import (
	"encoding/json"
	"slices"
)

const (
	requestsKept = 256 // the newest that are remembered
	requestsNew  = 16  // of which so many stand apart at most, and are copied with nearly every entry
)

// Request is one that took effect.
type Request struct {
	ID    string `json:"id"`
	Index uint64 `json:"index"` // after that of any state from before it
}

// Requests are those that took effect, oldest first. Its text is that of one list. It is two, since nearly every entry adds to
// it: the older ones are shared by many states, and only the newest are copied. The entry that finds requestsNew of these
// copies all.
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

// at is one of them, from the oldest on.
func (r Requests) at(i int) Request {
	if i < len(r.older) {
		return r.older[i]
	}
	return r.newest[i-len(r.older)]
}

// ofRequests is [ofList] for what changes with nearly every entry. Both have the oldest first, so what is the same in both
// stands in both in the same order; and where both share their older ones, those are not looked at.
func ofRequests(was, is Requests) (d sum) {
	i, k := 0, 0
	if gone := len(was.older) - len(is.older); len(is.older) > 0 && gone >= 0 && shared(was.older[gone:], is.older) {
		for _, r := range was.older[:gone] {
			d.sub(r.object())
		}
		i, k = len(was.older), len(is.older)
	}
	for i < was.Len() || k < is.Len() {
		switch {
		case i < was.Len() && k < is.Len() && was.at(i) == is.at(k):
			i, k = i+1, k+1
		case k == is.Len() || i < was.Len() && was.at(i).Index <= is.at(k).Index:
			d.sub(was.at(i).object())
			i++
		default:
			d.add(is.at(k).object())
			k++
		}
	}
	return d
}
