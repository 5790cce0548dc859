package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
)

func historyCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the revisions of the configuration, newest first: when, who, why and what",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.client().History(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), all)
			}
			return table(cmd.OutOrStdout(), func(w io.Writer) { printHistory(w, all) })
		},
	}
}

func printHistory(w io.Writer, all []api.Revision) {
	fmt.Fprintln(w, "REVISION\tWHEN\tWHO\tWHAT")
	for _, r := range all {
		what := r.Summary
		if r.Cause != "" {
			what = r.Cause + ": " + what
		}
		if r.Message != "" {
			what = r.Message + " | " + what
		}
		switch {
		case !r.Until.IsZero():
			what += " | taken back at " + r.Until.Local().Format(time.TimeOnly) + " unless confirmed"
		case r.Confirmed != "":
			what += " | confirmed by " + r.Confirmed
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", r.Revision, r.Time.Local().Format(time.DateTime), dash(r.Author), what)
	}
}

// revisionOf reads the number of a revision.
func revisionOf(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not the number of a revision: `quorate history` lists them", text)
	}
	return n, nil
}

func diffCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "diff N M",
		Short: "Show what turns revision N into revision M: exit 0 nothing, 2 something, 1 error",
		Args:  arguments("N", "M"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var revisions [2]uint64
			for i := range revisions {
				n, err := revisionOf(args[i])
				if err != nil {
					return err
				}
				revisions[i] = n
			}
			changes, err := c.client().Diff(cmd.Context(), revisions[0], revisions[1])
			if err != nil {
				return err
			}
			if c.json() {
				err = printJSON(cmd.OutOrStdout(), append([]config.Change{}, changes...))
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), config.Render(changes))
			}
			if err == nil && len(changes) > 0 {
				return exitCode(exitChange)
			}
			return err
		},
	}
}

func rollbackCommand(c *cli) *cobra.Command {
	var yes bool
	var terms terms
	cmd := &cobra.Command{
		Use:   "rollback N",
		Short: "Make the configuration of revision N the cluster's again, as a new revision",
		Long: "Make the configuration of revision N, router keys included, the cluster's again. It is a new revision: it shows the plan, asks, and\n" +
			"applies what it has shown or nothing. A change that waits to be confirmed is ended by a rollback to the\n" +
			"revision before it, and by no other.",
		Args: arguments("N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			revision, err := revisionOf(args[0])
			if err != nil {
				return err
			}
			how, err := terms.read(cmd)
			if err != nil {
				return err
			}
			r := api.RollbackRequest{Revision: revision, Terms: how}
			plan, err := c.client().PlanRollback(cmd.Context(), r)
			if err == nil {
				err = unfit(plan, nothingApplied)
			}
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.ErrOrStderr(), plan.Problems.Warnings())
			r.Base = plan.Base
			return c.commit(cmd, change{
				plan: plan, question: "apply this?", not: "not applied", done: "rolled back to revision " + args[0], idle: "nothing to roll back",
				do: func() (api.ApplyResult, error) { return c.client().Rollback(cmd.Context(), r) },
			}, yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	terms.flags(cmd)
	return cmd
}

func confirmCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm [REVISION]",
		Short: "Keep a change that was applied with --confirm",
		Args: func(cmd *cobra.Command, args []string) error {
			return arguments("REVISION")(cmd, append(args, "")[:max(1, len(args))])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := api.ConfirmRequest{Author: author()}
			if len(args) == 1 {
				n, err := revisionOf(args[0])
				if err != nil {
					return err
				}
				r.Revision = n
			}
			res, err := c.client().Confirm(cmd.Context(), r)
			if err != nil {
				return unheard(cmd.Context(), err, "confirmed")
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), res)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "confirmed: revision %d stays\n", res.Revision)
			return err
		},
	}
}
