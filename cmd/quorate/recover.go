package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func recoverCommand(c *cli) *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make a new cluster of this director alone, when the others are lost for good",
		Long: "Make a new cluster of this director alone, from what it has of the old one. Addresses and connections are served all the while.\n" +
			"What the others agreed on without this director is lost. They are members no longer: if they come back, they refuse to\n" +
			"go on, give up what they own, and are to leave and join again.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := api.RecoverRequest{Force: force}
			plan, err := c.client().PlanRecovery(cmd.Context(), r)
			if err != nil {
				return err
			}
			if !plan.Done {
				printRecovery(cmd.ErrOrStderr(), plan)
				if !yes {
					if err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), "recover from this director?", "not recovered"); err != nil {
						return err
					}
				}
			}
			err = c.client().Recover(cmd.Context(), r, progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, "the agent goes on; `quorate status` shows whether the cluster was recovered")
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "recover though others answer, as long as they have no quorum")
	return cmd
}

func printRecovery(w io.Writer, p api.RecoveryPlan) {
	fmt.Fprintf(w, "%s goes on alone as of log entry %d (revision %d", p.Survivor, p.AsOf, p.Revision)
	if !p.Written.IsZero() {
		fmt.Fprintf(w, ", written %s", p.Written.Local().Format(time.DateTime))
	}
	fmt.Fprintln(w, "); what the others agreed on after that is lost")
	if p.Halted != "" {
		fmt.Fprintf(w, "left out with all after it: %s\n", p.Halted)
	}
	for _, m := range p.Members {
		state := "does not answer"
		switch {
		case m.Why != "":
			state = "answers (" + m.Why + ")"
		case m.Answers:
			state = fmt.Sprintf("answers, at log entry %d", m.AppliedIndex)
		}
		if m.Owns != "" {
			state += ", and is heard as the owner of " + m.Owns
		}
		fmt.Fprintf(w, "  %s (%s) %s: no member any more, to join again if it comes back\n", m.Name, m.Address, state)
	}
}
