package track

import "fmt"

// Use says what a track means to a group.
type Use struct {
	Track   string
	Require bool // while it fails, this director cannot own the group

	// Score is what a track that is not required adds to the group's score: above zero while it passes,
	// below zero while it fails; of a file always, times its value. It is cut to 253 and to -253, of a
	// file or a process to -254. A file that comes to -254 is a fault: the director cannot own the group.
	Score int

	Reverse bool // what is required must fail; a score changes its sign
}

// Standing is what all tracks together say of this director and a group.
type Standing struct {
	Fit     bool     // nothing forbids it to own the group; false too while that is not known
	Known   bool     // every required track has said something: until then nothing should be gained, nor taken away
	Score   int      // the sum of its preferences; 0 is neutral
	Reasons []string // what keeps it from being fit, and what the score is made of, in the order of the uses
}

const (
	maxScore      = 253
	fault         = -254
	maxMultiplier = 1 << 20 // beyond it every product is cut anyway, and none overflows
)

// Judge returns this director's standing towards a group that uses the tracks with these results, by
// name. It is pure.
func Judge(uses []Use, results map[string]Result) Standing {
	s := Standing{Fit: true, Known: true}
	unfit := func(format string, args ...any) {
		s.Fit = false
		s.Reasons = append(s.Reasons, fmt.Sprintf(format, args...))
	}
	for _, u := range uses {
		r, ok := results[u.Track]
		switch {
		case !ok && u.Require:
			s.Known = false
			unfit("track %q is not defined", u.Track)
		case !ok:
			s.Reasons = append(s.Reasons, fmt.Sprintf("track %q is not defined", u.Track))
		case u.Require && r.State == Unknown:
			s.Known = false
			unfit("track %q has said nothing yet", u.Track)
		case r.Fault:
			unfit("track %q: %s", u.Track, r.Reason)
		case u.Require && u.Reverse && r.State == Passing:
			unfit("track %q passes", u.Track)
		case u.Require && !u.Reverse && r.State == Failing:
			unfit("track %q: %s", u.Track, r.Reason)
		case !u.Require:
			term := u.term(r)
			if r.Kind == File && term == fault {
				unfit("track %q: %s, times %d", u.Track, r.Reason, u.Score)
			} else if s.Score += term; term != 0 {
				s.Reasons = append(s.Reasons, fmt.Sprintf("track %q: %+d%s", u.Track, term, because(r)))
			}
		}
	}
	return s
}

func because(r Result) string {
	if r.State == Passing || r.Reason == "" {
		return ""
	}
	return ": " + r.Reason
}

// term is what the use of a track that is not required adds to the score.
func (u Use) term(r Result) int {
	term, least := u.Score, fault
	switch {
	case r.Kind == File:
		term = cut(u.Score, -maxMultiplier, maxMultiplier) * cut(r.Value, -maxMultiplier, maxMultiplier)
	case u.Score > 0 && r.State != Passing, u.Score < 0 && r.State != Failing:
		return 0
	case r.Kind == Interface || r.Kind == Script:
		least = -maxScore
	}
	if u.Reverse {
		term = -term
	}
	return cut(term, least, maxScore)
}

func cut(n, least, most int) int { return min(max(n, least), most) }
