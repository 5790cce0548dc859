package interop

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Outcome is what became of a cell.
type Outcome struct {
	Cell    Cell
	Results []Result
	Failed  []string // events, requirements and judges that did not hold
	Skipped []string // events that the cell does not have, and why
}

// beside are the figures of keepalived 2.2.7 beside itself at the same priorities, measured once in the
// same kind of network: the silence on the wire after a death and after an orderly stop.
func beside(interval time.Duration) (dead, stopped time.Duration) {
	switch interval {
	case time.Second:
		return 3610 * time.Millisecond, 612 * time.Millisecond
	case 100 * time.Millisecond:
		return 362 * time.Millisecond, 62 * time.Millisecond
	}
	return 37 * time.Millisecond, 7 * time.Millisecond
}

// Report writes the outcomes as Markdown. About says where and with what they were made.
func Report(w io.Writer, about []string, outcomes []Outcome) error {
	slices.SortFunc(outcomes, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(b.Cell.Interval, a.Cell.Interval), strings.Compare(a.Cell.String(), b.Cell.String()))
	})
	bad := 0
	for _, o := range outcomes {
		if len(o.Failed) > 0 {
			bad++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d cells ran; in %d of them all held.\n\n", len(outcomes), len(outcomes)-bad)
	for _, line := range about {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString(`
All times are in milliseconds. *Wire* is from the last advert of the old owner (or its goodbye) to the first of the
new one, *std* what the standard says that is, *ka* what keepalived 2.2.7 needs beside itself. *Client* is the
longest time without an answer to an echo request each 5 ms. *Told* is how long the client's neighbour table was
wrong after a partition had healed and one host served; where nobody told it, the client's gap says nothing.

| cell | holds | dies: wire | std | ka | client | killed: client | stops: wire | std | ka | client | link: wire | client | returns: client | heals: client | told | other changes: client |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`)
	for _, o := range outcomes {
		b.WriteString(o.row())
	}
	b.WriteString(notes(outcomes))
	_, err := io.WriteString(w, b.String())
	return err
}

func (o Outcome) row() string {
	verdict := "yes"
	if len(o.Failed) > 0 {
		verdict = "**no**"
	}
	dead, stopped := beside(o.Cell.Interval)
	dies, killed, stops, link := o.find(diesEvent), o.find(killedEvent), o.find(stopsEvent), o.find(linkEvent)
	heals := o.find(healsEvent)
	told := ms(heals.Known)
	if heals.Note != "" {
		told = "nobody did"
	}
	return fmt.Sprintf("| %v | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", o.Cell, verdict,
		ms(dies.Silence), ms(dies.Formula), ms(dead), ms(dies.Gap), ms(killed.Gap), ms(stops.Silence), ms(stops.Formula), ms(stopped), ms(stops.Gap),
		ms(link.Silence), ms(link.Gap), ms(o.worst(returnsEvent)), ms(heals.Gap), told, ms(o.worst(priorityEvent, addressEvent, listsEvent, intervalsEvent)))
}

func (o Outcome) find(event string) Result {
	for _, r := range o.Results {
		if r.Event == event {
			return r
		}
	}
	return Result{}
}

func (o Outcome) worst(events ...string) time.Duration {
	var worst time.Duration
	for _, r := range o.Results {
		if slices.Contains(events, r.Event) {
			worst = max(worst, r.Gap)
		}
	}
	return worst
}

func ms(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
	}
	return fmt.Sprint(d.Round(time.Millisecond).Milliseconds())
}

// notes are what did not hold, and what is to be known.
func notes(outcomes []Outcome) string {
	var b strings.Builder
	skipped := map[string]bool{}
	for _, o := range outcomes {
		for _, f := range o.Failed {
			fmt.Fprintf(&b, "- %v: **%s**\n", o.Cell, f)
		}
		for _, r := range o.Results {
			if r.Note != "" {
				fmt.Fprintf(&b, "- %v: %s: %s\n", o.Cell, r.Event, r.Note)
			}
			if r.Lapses != "" {
				fmt.Fprintf(&b, "- %v: %s: %s\n", o.Cell, r.Event, r.Lapses)
			}
		}
		for _, s := range o.Skipped {
			skipped[s] = true
		}
	}
	for _, s := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(&b, "- not in every cell: %s\n", s)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n## Notes\n\n" + b.String()
}
