package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// requests are commands under the names of requests, the second made again.
func requests() []Command {
	return []Command{
		Once{Request: "r1", Command: SetDraining{Name: "d1", Draining: true}},
		Once{Request: "r1", Since: 7, Command: SetDraining{Name: "d1", Draining: true}},
	}
}

func TestRequestsAreInTheGoldenSnapshot(t *testing.T) {
	s := play(t, append([]Command{level2()}, requests()...))
	for i := range requestsKept {
		s, _, _ = through(t, s, Once{Request: fmt.Sprintf("more%d", i), Command: renew(s)})
	}
	s.Requests = Requests{newest: s.Requests.All()[requestsKept-2:]} // the others are alike
	s = s.Sealed()
	if s.Forgotten == 0 {
		t.Fatal("none is forgotten")
	}
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot-requests.txt", b.Bytes())
	back, err := ReadSnapshot(&b)
	if err != nil || back.Forgotten != s.Forgotten || !back.Requests.Equal(s.Requests) {
		t.Errorf("%v, %d: %v", back.Requests, back.Forgotten, err)
	}
}

// fresh is a state of the level that requests need.
var fresh = State{Level: LevelHistory}

// renew is a command that never has the same effect twice: the configuration as it is, in a revision of its own.
func renew(s State) PutConfig { return PutConfig{Base: s.Revision, Config: s.Config} }

// through applies a command as a replica does: from the log's bytes.
func through(t *testing.T, s State, c Command) (State, []Change, error) {
	t.Helper()
	entry, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode(entry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, decoded); diff != "" {
		t.Fatalf("through the log (-before +after):\n%s", diff)
	}
	return Apply(s, s.Index+3, decoded) // other entries are between those of commands
}

func TestARequestThatIsMadeAgainTakesEffectOnce(t *testing.T) {
	first := Once{Request: "r1", Command: renew(fresh)}
	s, changes, err := through(t, fresh, first)
	if err != nil || s.Revision != 1 || len(changes) == 0 {
		t.Fatalf("revision %d, %v, %v", s.Revision, changes, err)
	}
	again := first
	again.Since = 0
	for range 3 {
		next, changes, err := through(t, s, again)
		if err != nil || next.Revision != 1 || changes != nil {
			t.Fatalf("again: revision %d, %v, %v", next.Revision, changes, err)
		}
		if next.Index == s.Index {
			t.Fatal("the index stays")
		}
		s = next
		again.Since = 1
	}
	if _, _, err := through(t, s, Once{Request: "r2", Command: renew(fresh)}); !errors.Is(err, ErrStale) {
		t.Errorf("another request with the same command: %v", err)
	}
}

func TestARefusalIsNoEffect(t *testing.T) {
	c := Once{Request: "r1", Command: PutConfig{Base: 1}}
	s, _, err := through(t, fresh, c)
	if !errors.Is(err, ErrStale) || s.Requests.Len() != 0 {
		t.Fatalf("%v, remembered %v", err, s.Requests)
	}
	s, _, _ = through(t, s, Once{Request: "r2", Command: renew(s)})
	if s, _, err = through(t, s, c); err != nil || s.Revision != 2 {
		t.Errorf("revision %d, %v", s.Revision, err)
	}
}

func TestWhatIsForgottenIsNotGuessed(t *testing.T) {
	s := fresh
	s.Index = 10
	before := s.Index
	s, _, _ = through(t, s, Once{Request: "old", Command: renew(s)})
	for i := range requestsKept - 1 {
		s, _, _ = through(t, s, Once{Request: fmt.Sprint(i), Command: renew(s)})
	}
	again := Once{Request: "old", Since: before, Command: renew(s)}
	if next, _, err := through(t, s, again); err != nil || next.Revision != s.Revision {
		t.Fatalf("the oldest that is remembered: revision %d, had %d, %v", next.Revision, s.Revision, err)
	}
	s, _, _ = through(t, s, Once{Request: "one more", Command: renew(s)})
	if s.Requests.Len() != requestsKept {
		t.Fatalf("%d are remembered", s.Requests.Len())
	}
	again.Command = renew(s)
	if _, _, err := through(t, s, again); !errors.Is(err, ErrForgotten) {
		t.Errorf("the newest that is forgotten: %v", err)
	}
	late := Once{Request: "new", Since: s.Requests.All()[0].Index, Command: renew(s)}
	if _, _, err := through(t, s, late); err != nil {
		t.Errorf("one that began after all that is forgotten: %v", err)
	}
	if _, _, err := through(t, s, Once{Request: "first time", Command: renew(s)}); err != nil {
		t.Errorf("one that was not made before: %v", err)
	}
}

func TestAClusterOfAnOlderLevelKnowsNoRequests(t *testing.T) {
	if _, _, err := Apply(Empty, 1, Once{Request: "r", Command: renew(Empty)}); !errors.Is(err, ErrLevel) {
		t.Errorf("error %v", err)
	}
}

func TestARequestThatIsNone(t *testing.T) {
	for _, id := range []string{"", strings.Repeat("x", maxRequestID+1)} {
		if _, _, err := Apply(fresh, 1, Once{Request: id, Command: renew(fresh)}); err == nil {
			t.Errorf("%d bytes are taken for a name", len(id))
		}
	}
	nested, err := Encode(Once{Request: "a", Command: Once{Request: "b", Command: renew(fresh)}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Decode(nested); err == nil {
		t.Errorf("a request within a request is %v", c)
	}
}
