package agent

import (
	"testing"
	"time"
)

// What began since a move is under way is lost with an agent that does not wait for its end.
func TestWhoStopsWaitsForAMoveThatIsUnderWayAndForNothingElse(t *testing.T) {
	start := time.Unix(1000, 0)
	type look struct {
		after         time.Duration
		takers, moves bool
		want          bool
	}
	for name, tt := range map[string]struct {
		patient bool
		looks   []look
	}{
		"nobody can take a group":                  {looks: []look{{0, false, false, true}}},
		"no move begins":                           {looks: []look{{0, true, false, false}, {beginLimit, true, false, false}, {beginLimit + 1, true, false, true}}},
		"a move is slow":                           {looks: []look{{beginLimit, true, true, false}, {2 * beginLimit, true, true, false}}},
		"a move is slow, and its taker silent":     {looks: []look{{beginLimit, false, true, false}}},
		"a move comes to nothing, and the next":    {looks: []look{{3 * time.Second, true, true, false}, {beginLimit + time.Second, true, false, false}, {3*time.Second + beginLimit + 1, true, false, true}}},
		"the patient wait for somebody to take":    {patient: true, looks: []look{{beginLimit, false, false, false}, {beginLimit + 1, false, false, true}}},
		"the patient wait as long as one takes":    {patient: true, looks: []look{{beginLimit, true, false, false}, {2 * beginLimit, true, false, false}}},
		"the patient do not wait for one for ever": {patient: true, looks: []look{{beginLimit, true, false, false}, {2*beginLimit + 1, false, false, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := waiting{patient: tt.patient, possible: start, moving: start}
			for _, l := range tt.looks {
				u := unmoved{group: "g"}
				if l.takers {
					u.to = "d2"
				}
				w.seen(start.Add(l.after), []unmoved{u})
				if got := w.enough(start.Add(l.after), l.moves); got != l.want {
					t.Errorf("after %v: enough is %v, want %v", l.after, got, l.want)
				}
			}
		})
	}
}
