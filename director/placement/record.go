package placement

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// Record is a decision to place a group, with what it was made from.
func (s Situation) Record(now time.Time, text string) ownership.Record {
	lines := []string{ownership.LogLine(s.Log)}
	if s.Placement.Policy != "" {
		lines = append(lines, s.policyLine())
	}
	for _, v := range s.Views {
		lines = append(lines, v.line())
	}
	return ownership.Record{At: now, Kind: "place", Text: text, Inputs: lines}
}

// line says in words what is known of a director.
func (v View) line() string {
	var words []string
	say := func(is bool, word string) {
		if is {
			words = append(words, word)
		}
	}
	say(v.Active, "owner")
	say(!v.Alive, "no report")
	say(v.Silent > Grace, "silent for "+ms(v.Silent))
	say(v.Ready, "ready")
	say(!v.Ready, "not ready")
	say(v.Draining, "drains")
	say(v.Fault != "", v.Fault)
	say(v.Unfit != "", v.Unfit)
	say(v.Refused != "", v.Refused)
	say(v.Lacks, "lacks the owner's connections")
	say(v.Hears != "", "hears "+v.Hears)
	say(v.Score != 0, fmt.Sprintf("score %d", v.Score))
	return v.Name + ": " + strings.Join(words, ", ")
}

// policyLine says what the policy wishes, and for how long it has.
func (s Situation) policyLine() string {
	line := fmt.Sprintf("policy: %s, holds for %v", s.Placement.Policy, s.Placement.HoldFor())
	if w := Wished(s); w.To != "" {
		return line + fmt.Sprintf("; wishes %s since %s: %s", w.To, ms(s.Wished), w.Reason)
	}
	return line + "; wishes nothing else"
}

func ms(d time.Duration) string { return d.Round(time.Millisecond).String() }
