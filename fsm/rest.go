package fsm

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
)

// rest is what no other object of a state's sum has: all that is small. A field that is new to the state is in it, until
// somebody makes objects of it. Nearly every entry changes two numbers of it and no more, so that its text is made of
// the text of the state before.
type rest struct {
	of                 stored // what it was made of, but for the two numbers
	head, middle, tail []byte // its text: head, index, middle, the number of the last request that is forgotten, tail
	number             sum
}

const (
	indexField     = `"index":`
	forgottenField = `"forgotten":`
)

// rested returns the rest of a state. It is made of another state's where all is the same in both but the two numbers.
func (s *State) rested(like rest) rest {
	r := s.bare()
	if like.head == nil || !reflect.DeepEqual(r, like.of) {
		like = framed(r)
	}
	room := make([]byte, 0, len(like.head)+len(like.middle)+len(like.tail)+64)
	b := strconv.AppendUint(append(room, like.head...), s.Index, 10)
	b = append(b, like.middle...)
	if s.Forgotten != 0 { // the text leaves it out else
		b = strconv.AppendUint(append(b, forgottenField...), s.Forgotten, 10)
		b = append(b, ',')
	}
	like.number = object("state", "", append(b, like.tail...))
	return like
}

// bare is what of a state is in its rest, without the two numbers that are put into its text afterwards.
func (s *State) bare() stored {
	r := stored{State: *s, Secrets: s.secrets}
	r.Index, r.Forgotten = 0, 0
	r.Config, r.Verdicts, r.Members, r.Groups, r.Former, r.History, r.Requests = Config{}, nil, nil, nil, nil, nil, nil
	r.Secrets.Tokens, r.Secrets.VRRPKeys, r.Secrets.VRRPOtherKeys, r.Secrets.Former = nil, nil, nil, nil
	r.secrets, r.kept, r.only = Secrets{}, nil, nil // in no text
	return r
}

// framed finds the places of the two numbers in the text. No string in it can look like them: it has a backslash before
// each quote.
func framed(r stored) rest {
	marked := r
	marked.Index, marked.Forgotten = math.MaxUint64, math.MaxUint64
	most := strconv.FormatUint(math.MaxUint64, 10)
	all := text(marked)
	before, after, ok := bytes.Cut(all, []byte(indexField+most))
	middle, tail, found := bytes.Cut(after, []byte(forgottenField+most+","))
	if !ok || !found {
		panic("fsm: the text of a state has another form")
	}
	return rest{of: r, head: append(bytes.Clone(before), indexField...), middle: middle, tail: tail}
}
