package ownership

import (
	"testing"
	"time"
)

func TestGuardKeepsABackupWhereSomebodyServes(t *testing.T) {
	silent := Word{Name: "d1"}
	owner := Word{Name: "d1", Answers: true, Owns: true}
	serves := Word{Name: "d1", Answers: true, Owns: true, Reached: true, Serves: true}
	other := Word{Name: "d3", Answers: true, Reached: true}
	hearing := Word{Name: "d3", Answers: true, Reached: true, Hears: "d1"}
	afar := Word{Name: "d3", Answers: true}
	for _, tt := range []struct {
		name    string
		words   []Word
		gateway bool
		want    Choice
	}{
		{"nobody answers", []Word{silent, {Name: "d3"}}, false, Take},
		{"nobody answers, and the gateway does", []Word{silent}, true, Take},
		{"the owner is dead", []Word{silent, other}, false, Take},
		{"the owner has let go", []Word{{Name: "d1", Answers: true, Reached: true}, other}, false, Take},
		{"only its adverts do not pass", []Word{serves, other}, false, Hold},
		{"two directors, only its adverts do not pass", []Word{serves}, false, Hold},
		{"it is reached by nothing here, and heard by another", []Word{owner, hearing}, false, Hold},
		{"its port is on another segment", []Word{owner, other}, false, Relieve},
		{"two directors, its port is on another segment, and the gateway is here", []Word{owner}, true, Relieve},
		{"two directors, and nothing is reached", []Word{owner}, false, CutOff},
		{"this director's port is on another segment", []Word{owner, afar}, false, CutOff},
		{"this director's port is on another segment, and another hears the owner", []Word{owner, {Name: "d3", Answers: true, Hears: "d1"}}, false, Hold},
		{"nobody owns it, nothing is reached, and another could own it", []Word{{Name: "d3", Answers: true, Able: true}}, false, CutOff},
		{"nobody owns it, nothing is reached but the gateway, and another could own it", []Word{{Name: "d3", Answers: true, Able: true}}, true, Take},
		{"nobody owns it, nothing is reached, and another could own it that does not answer", []Word{{Name: "d3", Able: true}, afar}, false, Take},
		{"two own it, one on each side, and the one on this side answers", []Word{serves, {Name: "d3", Answers: true, Owns: true}}, false, Hold},
		{"the owner's address is its own, and another MAC has the group's", []Word{{Name: "d1", Answers: true, Owns: true, Reached: true}, other}, false, Hold},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Guard(tt.words, tt.gateway); got.Choice != tt.want || got.Reason == "" {
				t.Errorf("Guard = %+v, want choice %d", got, tt.want)
			}
		})
	}
}

// Where a port is on another segment, that is said however many directors there are.
func TestWhoReachesNothingIsSaidToBeCutOffThoughAnotherHearsTheOwner(t *testing.T) {
	owner, third := Word{Name: "d1", Answers: true, Owns: true}, Word{Name: "d3", Answers: true, Hears: "d1"}
	for _, tt := range []struct {
		name    string
		words   []Word
		gateway bool
		want    Guarding
	}{
		{"it is alone with the owner", []Word{owner}, false, Guarding{CutOff, "d1", "neither a member nor a gateway is reached on the segment, and d1 owns it"}},
		{"a third hears the owner", []Word{owner, third}, false, Guarding{Hold, "d1", "neither a member nor a gateway is reached on the segment, and d1 owns it: d3 hears it there"}},
		{"the gateway is here", []Word{owner, third}, true, Guarding{Hold, "d1", "d1 owns it and d3 hears it, but its adverts do not arrive here"}},
	} {
		if got := Guard(tt.words, tt.gateway); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// In whichever order they are asked.
func TestOfTwoOwnersTheOneOnThisSideCountsOrTheOneThatWasCutOffBefore(t *testing.T) {
	owns := func(w Word) Word {
		w.Answers, w.Owns = true, true
		return w
	}
	for _, tt := range []struct {
		name   string
		counts Word
		other  Word
	}{
		{"one serves here", Word{Reached: true, Serves: true}, Word{Reached: true}},
		{"one is here", Word{Reached: true}, Word{Suspect: true}},
		{"one was cut off before", Word{Suspect: true}, Word{}},
	} {
		counts, other := owns(tt.counts), owns(tt.other)
		counts.Name, other.Name = "counts", "other"
		for _, words := range [][]Word{{counts, other}, {other, counts}} {
			if got := Guard(words, true); got.Owner != "counts" {
				t.Errorf("%s: of %s and %s it is %+v", tt.name, words[0].Name, words[1].Name, got)
			}
		}
	}
}

func TestOfSeveralSegmentsTheWorstCounts(t *testing.T) {
	for _, tt := range []struct {
		all  []Choice
		want Choice
	}{
		{[]Choice{Take}, Take},
		{[]Choice{Take, Hold}, Hold},
		{[]Choice{Hold, Relieve}, Relieve},
		{[]Choice{Relieve, CutOff, Hold}, CutOff},
	} {
		var all []Guarding
		for _, c := range tt.all {
			all = append(all, Guarding{Choice: c})
		}
		if got := Worst(all); got.Choice != tt.want {
			t.Errorf("Worst(%v) = %d, want %d", tt.all, got.Choice, tt.want)
		}
	}
}

func TestAMemberThatCannotBeReachedOnASegmentCutsNobodyOffThere(t *testing.T) {
	s := newStory(t)
	s.member("d3").Unreached = []time.Duration{0, -1} // the address of its interface is of another network
	s.isSilent()
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "in"})
	s.pass(surveyLimit) // d1 is dead
	s.does()            // the timer has it
}

// The segment of a silent router cannot be asked: who owns the group is believed to serve there.
func TestWhereTheSegmentCannotBeAskedTheOwnerIsBelieved(t *testing.T) {
	for name, tt := range map[string]struct {
		answers, owns, heard, holds bool
	}{
		"it says that it owns":                  {true, true, false, true},
		"it is heard, and cannot be asked":      {false, false, true, true},
		"it is heard, and says that it doesn't": {true, false, true, false},
		"it is neither heard nor asked":         {false, false, false, false},
	} {
		s := newStory(t)
		if !tt.heard {
			s.hushes()
			s.pass(2 * s.Keeper.Interval)
		}
		said := map[string]Attestation{}
		if tt.answers {
			said["d1"] = Attestation{Owns: tt.owns}
		}
		g := (&step{Machine: s.m, Facts: s.Facts, now: s.now}).unasked(said)
		if holds := g.Choice == Hold && g.Owner == "d1"; holds != tt.holds {
			t.Errorf("%s: %+v", name, g)
		}
	}
}
