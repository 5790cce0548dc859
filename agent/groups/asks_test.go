package groups

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// silenced has all of so many groups fall silent, and returns how often a member was asked within a second after it was
// asked about each, and how long it took to ask about each.
func silenced(t *testing.T, groups int) (requests int, took time.Duration) {
	t.Helper()
	var names []string
	for i := range groups {
		names = append(names, fmt.Sprintf("g%04d", i))
	}
	w := newWorld(t, names...)
	w.mu.Lock()
	w.silent, w.noted, w.requests = true, nil, 0
	w.mu.Unlock()
	begin := time.Now()
	for asked := 0; asked < groups; time.Sleep(50 * time.Millisecond) {
		w.driver.Poke() // as when a report comes
		seen := map[string]bool{}
		w.mu.Lock()
		for _, what := range w.noted {
			if name, ok := strings.CutPrefix(what, "ask d1 "); ok {
				seen[name] = true
			}
		}
		w.mu.Unlock()
		if asked = len(seen); time.Since(begin) > 20*time.Second {
			t.Fatalf("asked about %d of %d groups", asked, groups)
		}
	}
	took = time.Since(begin)
	time.Sleep(time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, took
}

func TestAMemberIsNotAskedMoreForMoreGroups(t *testing.T) {
	few, _ := silenced(t, 3)
	many, took := silenced(t, 1000)
	t.Logf("3 groups: asked %d times; 1000 groups: %d times, about each within %v", few, many, took)
	if limit := int((took+time.Second)/together) + 2; many > limit || many >= 1000 {
		t.Errorf("1000 groups: a member was asked %d times, want at most %d", many, limit)
	}
}

func TestWhatIsKnownOfManyGroupsIsAnsweredTogether(t *testing.T) {
	w := newWorld(t, "a", "b")
	ask := func(group string, kind ownership.Kind) Asking { return Asking{group, ownership.Question{Kind: kind}} }
	got, err := w.driver.Attest(t.Context(), "d1", []Asking{ask("b", ownership.Attest), ask("gone", ownership.Attest), ask("a", ownership.Attest)})
	if err != nil || len(got) != 3 || got[0].Word.Epoch != 4 || got[2].Word.Epoch != 4 || got[1].Refuse == "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := w.driver.Attest(t.Context(), "d1", []Asking{ask("a", ownership.Attest), ask("b", ownership.Yield)}); err == nil {
		t.Error("a group was given up where it is asked what is known")
	}
}
