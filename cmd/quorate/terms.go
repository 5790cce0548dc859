package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

// terms are the flags of what changes the configuration.
type terms struct {
	message string
	confirm time.Duration
	below   string
}

func (t *terms) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.message, "message", "m", "", "why, for the history")
	cmd.Flags().DurationVar(&t.confirm, "confirm", 0, "take it back unless quorate confirm comes within this `time`, as in 60s")
	cmd.Flags().StringVar(&t.below, "revert-below", "", "with --confirm: take it back at once if fewer of the servers that it touches are up, as in 50%")
}

// read returns what the flags say, as the API takes it. What is wrong with them is said before anything is asked.
func (t *terms) read(cmd *cobra.Command) (api.Terms, error) {
	terms := api.Terms{Author: author(), Message: t.message, Confirm: t.confirm}
	if cmd.Flags().Changed("confirm") { // to the API, no time at all is a change that stays
		if err := api.CheckTrial(t.confirm); err != nil {
			return terms, err
		}
	}
	if !cmd.Flags().Changed("revert-below") {
		return terms, terms.Check()
	}
	n, err := strconv.Atoi(strings.TrimSuffix(t.below, "%"))
	if err != nil || n < 1 || n > 100 {
		return terms, fmt.Errorf("--revert-below %q: write a share of the servers, 1%% to 100%%"+nothingApplied, t.below)
	}
	terms.RevertBelow = n
	return terms, terms.Check()
}
