package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

func explainCommand(c *cli) *cobra.Command {
	return commands("explain", "Say why something is as it is", &cobra.Command{
		Use:   "group NAME",
		Short: "Say who owns a group and why, what each member says of it, and what was decided last",
		Args:  arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.client().Explain(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return printExplanation(cmd.OutOrStdout(), e)
		},
	})
}

func printExplanation(w io.Writer, e api.Explanation) error {
	switch {
	case e.Owner == "" && silent(e.Members) > len(e.Members)/2:
		fmt.Fprintf(w, "it is not known here who owns %s: too few answer\n", e.Group)
	case e.Owner == "":
		fmt.Fprintf(w, "nobody owns %s\n", e.Group)
	case e.Since.IsZero():
		fmt.Fprintf(w, "%s owns %s\n", e.Owner, e.Group)
	default:
		fmt.Fprintf(w, "%s owns %s since %s\n", e.Owner, e.Group, clock(e.Since))
	}
	fmt.Fprintf(w, "  epoch %d: %s\n  next: %s\n", e.Epoch, dash(e.Reason), dash(strings.Join(successors(e.Next, e.Order), ", ")))
	printAhead(w, e)
	if both := owners(e.Members); len(both) > 1 {
		fmt.Fprintf(w, "! %s own it, each of them: `quorate status` says more\n", strings.Join(both, " and "))
	}
	if e.NoQuorum != "" {
		fmt.Fprintf(w, "! %s\n", e.NoQuorum)
	}
	fmt.Fprintln(w)
	if err := table(w, func(w io.Writer) { printAttestations(w, e.Members) }); err != nil {
		return err
	}
	if len(e.Decisions) == 0 {
		_, err := fmt.Fprintln(w, "\nNothing was decided since the agents started.")
		return err
	}
	fmt.Fprintln(w, "\nDecided last, newest first, and from what:")
	for _, d := range slices.Backward(e.Decisions) {
		fmt.Fprintf(w, "%s  %s  %-8s%s\n", clock(d.Time), d.Director, d.Kind, d.Text)
		for _, in := range d.Inputs {
			fmt.Fprintf(w, "    %s\n", in)
		}
	}
	return nil
}

// printAhead says what is about to happen to the group, and what cannot.
func printAhead(w io.Writer, e api.Explanation) {
	for _, why := range e.Cannot {
		fmt.Fprintf(w, "  not next: %s\n", why)
	}
	if e.Placement != "" {
		fmt.Fprintf(w, "  placement: %s\n", e.Placement)
	}
	switch in := time.Duration(e.WishIn * float64(time.Second)).Round(time.Second); {
	case e.Moving != "":
		fmt.Fprintf(w, "  moving to %s\n", e.Moving)
	case e.Wish != "" && in > 0:
		fmt.Fprintf(w, "  moves to %s in %v: %s\n", e.Wish, in, e.WishReason)
	case e.Wish != "":
		fmt.Fprintf(w, "  is to move to %s as soon as that can take it: %s\n", e.Wish, e.WishReason)
	}
}

// owners are the members that say that they own the group.
func owners(members []api.Attestation) []string {
	var names []string
	for _, m := range members {
		if m.Part == "active" {
			names = append(names, m.Name)
		}
	}
	return names
}

// silent is how many members have said nothing.
func silent(members []api.Attestation) int {
	n := 0
	for _, m := range members {
		if m.Error != "" {
			n++
		}
	}
	return n
}

func printAttestations(w io.Writer, members []api.Attestation) {
	fmt.Fprintln(w, "MEMBER\tPART\tSINCE\tPRIORITY\tREADY\tHEARS\tWHY")
	for _, m := range members {
		if m.Error != "" {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\tsays nothing: %s\n", m.Name, m.Error)
			continue
		}
		var why []string
		if m.Reason != "" {
			why = append(why, m.Reason)
		}
		if len(m.Gone) > 0 {
			why = append(why, "silent to it: "+strings.Join(m.Gone, ", "))
		}
		if m.Sampled > 0 {
			why = append(why, fmt.Sprintf("has %d of %d of the owner's connections", m.Covered, m.Sampled))
		}
		var hears []string
		for _, router := range slices.Sorted(maps.Keys(m.Hears)) {
			hears = append(hears, router+" "+dash(m.Hears[router]))
		}
		ready := "yes"
		if !m.Ready {
			ready = "no: " + strings.Join(m.Why, "; ")
		}
		since := "-"
		if !m.Since.IsZero() {
			since = clock(m.Since)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", m.Name, partOf(m), since, m.Priority, ready, dash(strings.Join(hears, ", ")), dash(strings.Join(why, "; ")))
	}
}

// partOf is what a member is to the group.
func partOf(m api.Attestation) string {
	part := m.Part
	if m.Role == string(fsm.RoleWitness) {
		part = m.Role
	}
	if m.Draining {
		part = dash(part) + ", drains"
	}
	return dash(part)
}

// clock is a time as people read it, to the millisecond.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000") }
