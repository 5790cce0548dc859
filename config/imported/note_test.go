package imported

import (
	"fmt"
	"testing"
)

// TestANoteOfManyPlacesIsLeftWithThoseThatRemain has more places than a note names, and those that it would name are lost.
func TestANoteOfManyPlacesIsLeftWithThoseThatRemain(t *testing.T) {
	var notes Notes
	lost := map[Place]Loss{}
	for line := range 3 * maxPlaces {
		at := Place{File: "keepalived.conf", Line: 1 + line}
		notes.Carried(at, "real_server weight", "weight of a server")
		if line < 2*maxPlaces {
			lost[at] = Loss{}
		}
	}
	notes.Lose(lost)
	all := notes.Sorted()
	if len(all) != 1 {
		t.Fatalf("%d notes", len(all))
	}
	if n := all[0]; n.Count != maxPlaces || len(n.Places) != maxPlaces || n.Places[0].Line != 1+2*maxPlaces {
		t.Errorf("%d places, of which %d are named: %v", n.Count, len(n.Places), n)
	}
	want := fmt.Sprintf("keepalived.conf:%d: carried over", 1+2*maxPlaces)
	if got := all[0].String(); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("it says %q", got)
	}
}
