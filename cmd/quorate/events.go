package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func eventsCommand(c *cli) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened and why, as this director saw it",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, after := json.NewEncoder(cmd.OutOrStdout()), uint64(0)
			for wait := false; ; wait = true {
				events, err := c.client().Events(cmd.Context(), after, wait)
				if follow && cmd.Context().Err() != nil {
					return nil // that is how a person ends it
				}
				if err != nil {
					return err
				}
				if n := len(events); n > 0 { // the last, not the highest: the clock may have been set back before the agent was started anew
					after = events[n-1].Sequence
				}
				if !c.json() { // what the keeper did comes here a moment after what the log says of it
					slices.SortStableFunc(events, func(a, b api.Event) int { return a.Time.Compare(b.Time) })
				}
				for _, e := range events {
					if c.json() {
						err = out.Encode(e)
					} else {
						_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %-8s %s\n", clock(e.Time), e.Kind, e.Text)
					}
					if err != nil {
						return err
					}
				}
				if !follow {
					return nil
				}
			}
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as more happens")
	return cmd
}
