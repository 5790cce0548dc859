package fsm

import (
	"bytes"
	"crypto/sha256"
	"math"
	"strconv"
)

// rest is what no other object of a state's sum has: all that is small. A field that is new to the state is in it, until
// somebody makes objects of it. Nearly every entry changes two numbers of it and no more, so that its text is made of
// the text of the state before.
type rest struct {
	frame  *frame
	number sum
}

// frame is the text without the two numbers, and with what is before it in an object. It never changes.
type frame struct {
	head, middle, tail []byte // between them: the index, and the number of the last request that is forgotten
}

const (
	indexField     = `"index":`
	forgottenField = `"forgotten":`
)

// rested returns the rest of a state. Where that of another state has the same but for the two numbers, it is made of it.
func (s *State) rested(was *State, like rest) rest {
	f := like.frame
	if f == nil || !s.restsAs(was) {
		f = s.framed()
	}
	var room [4096]byte
	b := strconv.AppendUint(append(room[:0], f.head...), s.Index, 10)
	b = append(b, f.middle...)
	if s.Forgotten != 0 { // the text leaves it out else
		b = strconv.AppendUint(append(b, forgottenField...), s.Forgotten, 10)
		b = append(b, ',')
	}
	return rest{f, numbered(sha256.Sum256(append(b, f.tail...)))}
}

// restsAs reports whether the rest of a state is that of another but for the two numbers. What is in other memory counts as
// another: nobody changes what is in a state.
func (s *State) restsAs(was *State) bool {
	a, b := &s.secrets, &was.secrets
	return s.ClusterID == was.ClusterID && s.Level == was.Level && s.Revision == was.Revision && s.Trial == was.Trial && s.Recovery == was.Recovery &&
		shared(a.CACert, b.CACert) && shared(a.CAKey, b.CAKey) && shared(a.GossipKey, b.GossipKey) &&
		shared(a.GossipNext, b.GossipNext) && shared(a.GossipFormer, b.GossipFormer) &&
		a.CANext == b.CANext && shared(a.CAFormer, b.CAFormer) && shared(a.CALinks, b.CALinks)
}

// shared reports whether two lists are one, in one memory.
func shared[E any](a, b []E) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b) && (a == nil) == (b == nil)
	}
	return len(a) == len(b) && &a[0] == &b[0]
}

// framed finds the places of the two numbers in the text of what is in a state's rest. No string in it can look like them: it
// has a backslash before each quote.
func (s *State) framed() *frame {
	r := stored{State: *s, Secrets: s.secrets}
	r.Config, r.Verdicts, r.Members, r.Groups, r.Former, r.History, r.Ended, r.Requests = Config{}, Verdicts{}, nil, nil, nil, nil, nil, Requests{}
	r.Secrets.Tokens, r.Secrets.VRRPKeys, r.Secrets.VRRPOtherKeys, r.Secrets.Former = nil, nil, nil, nil
	r.Index, r.Forgotten = math.MaxUint64, math.MaxUint64
	most := strconv.FormatUint(math.MaxUint64, 10)
	before, after, ok := bytes.Cut(text(r), []byte(indexField+most))
	middle, tail, found := bytes.Cut(after, []byte(forgottenField+most+","))
	if !ok || !found {
		panic("fsm: the text of a state has another form")
	}
	head := append(beginning(nil, "state", ""), before...)
	return &frame{head: append(head, indexField...), middle: middle, tail: tail}
}
