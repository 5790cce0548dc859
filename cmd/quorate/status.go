package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func statusCommand(c *cli) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster as this director knows it",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := c.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				err = printJSON(cmd.OutOrStdout(), st)
			} else {
				err = printStatus(cmd.OutOrStdout(), st)
			}
			if err == nil && check && len(st.Warnings) > 0 {
				return exitCode(exitError)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 if there is anything to look at")
	return cmd
}

func printStatus(w io.Writer, st api.Status) error {
	var b strings.Builder
	if st.Cluster == "" && len(st.Directors) == 0 {
		fmt.Fprintf(&b, "%s (quorate %s) is in no cluster\n", st.Name, st.Version)
	} else if err := printCluster(&b, st); err != nil {
		return err
	}
	for _, r := range st.Rotations {
		fmt.Fprintf(&b, "rotation of %s; `quorate key status` says what it waits for\n", r)
	}
	for _, warning := range st.Warnings {
		fmt.Fprintln(&b, "!", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printCluster(w io.Writer, st api.Status) error {
	quorum := "quorum"
	switch {
	case st.Former:
		quorum = "NO MEMBER ANY MORE"
	case st.CutOff:
		quorum = "CUT OFF"
	case !st.Quorum:
		quorum = "NO QUORUM"
	}
	fmt.Fprintf(w, "cluster %s  %s  leader %s  revision %d  index %d  level %d\n",
		dash(st.Cluster), quorum, dash(st.Leader), st.Revision, st.AppliedIndex, st.FeatureLevel)
	if st.Voters > 0 && !st.Former {
		cannot := ""
		if st.CannotWrite > 0 {
			cannot = fmt.Sprintf(", %d of these cannot write", st.CannotWrite)
		}
		fmt.Fprintf(w, "%d of %s answer%s, %s\n", st.Answering, count(st.Voters, "voter"), cannot, mayFail(st))
	}
	fmt.Fprintln(w)
	err := table(w, func(w io.Writer) {
		printDirectors(w, st)
		fmt.Fprintln(w)
		printGroups(w, st)
	})
	if err != nil || len(st.Services) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return table(w, func(w io.Writer) { printServices(w, st) })
}

// mayFail says how far the quorum is from being lost.
func mayFail(st api.Status) string {
	switch {
	case !st.Quorum, st.CutOff:
		return fmt.Sprintf("%d must reach each other", st.Voters/2+1)
	case st.MayFail == 0:
		return "none more may fail"
	}
	return fmt.Sprintf("%d more may fail", st.MayFail)
}

// shownBehind is how many log entries behind is more than what is on its way.
const shownBehind = 16

func printDirectors(w io.Writer, st api.Status) {
	fmt.Fprintln(w, "DIRECTOR\tSTATE\tREADY\tADDRESS\tROLE\tVERSION\tCERTIFICATE")
	for _, d := range st.Directors {
		name := d.Name
		if name == st.Leader {
			name += " *"
		}
		ready := "yes"
		if !d.Ready {
			ready = "no"
		}
		if len(d.Reasons) > 0 {
			ready += ": " + strings.Join(d.Reasons, "; ")
		}
		state := d.State
		if d.Draining {
			state += ", draining"
		}
		if d.Behind > shownBehind {
			state += fmt.Sprintf(", %d entries behind", d.Behind)
		}
		certificate := "-"
		if !d.CertificateExpires.IsZero() {
			certificate = d.CertificateIssued.Local().Format(time.DateOnly) + " to " + d.CertificateExpires.Local().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, state, ready, d.Address, d.Role, d.Version, certificate)
	}
}

func printGroups(w io.Writer, st api.Status) {
	fmt.Fprintln(w, "GROUP\tOWNER\tEPOCH\tNEXT\tADDRESSES\tWHY")
	for _, g := range st.Groups {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", g.Name, dash(g.Owner), g.Epoch,
			dash(strings.Join(successors(g.Next, g.Order), " ")), strings.Join(g.Addresses, " "), g.Reason)
	}
}

// successors are those who could take a group now; of an agent of an older version, all of the log's order.
func successors(next, order []string) []string {
	if next == nil {
		return order
	}
	return next
}

func printServices(w io.Writer, st api.Status) {
	fmt.Fprintln(w, "SERVICE\tVERDICT\tWEIGHT\tWHY")
	for _, s := range st.Services {
		fmt.Fprintf(w, "%s %s %s %s\t\t\t\n", s.Name, s.Address, s.Scheduler, s.Forward)
		for _, r := range s.Servers {
			verdict, cause := r.Verdict, r.Cause
			switch {
			case r.Fallback:
				verdict = "fallback"
			case r.Asymmetric:
				cause = "down from here alone; " + cause
			}
			fmt.Fprintf(w, "  %s\t%s\t%d of %d\t%s\n", r.Address, verdict, r.Weight, r.Configured, cause)
		}
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
