package ownership

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Record is something that was decided about a group, with what it was decided from.
type Record struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // move, guard, yield, claim, contest, place, or vrrp for what the wire alone has changed
	Text   string    `json:"text"` // what, and why
	Inputs []string  `json:"inputs"`
}

// Kept is how many decisions are remembered.
const Kept = 10

// Records is a memory of the last ten decisions about a group, oldest first.
type Records []Record

// Add remembers a decision.
func (ds *Records) Add(d Record) {
	*ds = append(*ds, d)
	if n := len(*ds) - Kept; n > 0 {
		*ds = slices.Clone((*ds)[n:])
	}
}

// Records returns the last ten decisions of this machine, oldest first.
func (m *Machine) Records() []Record { return slices.Clone(m.records) }

// decided remembers a decision, with what is known in this step.
func (s *step) decided(kind, text string) {
	s.records.Add(Record{At: s.now, Kind: kind, Text: text, Inputs: s.inputs()})
}

// LogLine says what the log says of a group.
func LogLine(o fsm.Ownership) string {
	line := fmt.Sprintf("log: epoch %d names %s, then %s", o.Epoch, orNobody(o.Owner), orNobody(strings.Join(o.Order, ", ")))
	if o.Intent != nil {
		line += fmt.Sprintf("; to move to %s: %s", o.Intent.To, o.Intent.Reason)
	}
	return line
}

// inputs says in words what the facts are.
func (f Facts) inputs() []string {
	lines := []string{LogLine(f.Log)}
	lines = append(lines, fmt.Sprintf("%s: %v, %s", f.Self, f.Keeper.Part, commas(
		said(f.Ready, "ready", "not ready"), said(f.Quorum, "in the quorum", "no quorum"), said(f.Drains, "drains", ""),
		said(f.OnTime, "", "was late itself"), said(f.Current, "", "log not applied yet"))))
	for _, r := range f.Keeper.Routers {
		switch {
		case r.Heard == "":
			lines = append(lines, r.Name+": no member heard")
		default:
			lines = append(lines, fmt.Sprintf("%s: %sheard %s %s ago", r.Name, said(r.Silent, "silent, ", ""), r.Heard, ms(r.Age)))
		}
	}
	for _, m := range f.Members {
		lines = append(lines, fmt.Sprintf("%s: %v, %s", m.Name, m.Part, commas(
			said(m.Alive, "", "no report"), said(m.Ready, "ready", "not ready"), said(m.Draining, "drains", ""), said(m.Fit, "", "cannot own it"),
			said(m.Witness, "witness", ""), "its agent "+heardAgo(m.Unheard), f.unreached(m))))
	}
	return lines
}

func (f Facts) unreached(m Member) string {
	var parts []string
	for i, d := range m.Unreached {
		if d >= 0 && i < len(f.Keeper.Routers) {
			parts = append(parts, "its host on "+f.Keeper.Routers[i].Name+" "+heardAgo(d))
		}
	}
	return strings.Join(parts, ", ")
}

// heardAgo says whether somebody is silent: a moment is none.
func heardAgo(d time.Duration) string {
	if d < GoneAfter {
		return "was heard " + ms(d) + " ago"
	}
	return "is silent for " + ms(d)
}

func ms(d time.Duration) string { return d.Round(time.Millisecond).String() }

func said(yes bool, is, isNot string) string {
	if yes {
		return is
	}
	return isNot
}

func commas(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}
