package main

import (
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func drainCommand(c *cli) *cobra.Command {
	return commands("drain", "Take load away from a director, without loss",
		directorCommand(c, "Ask a director to own nothing; returns when that is so", true))
}

func enableCommand(c *cli) *cobra.Command {
	return commands("enable", "End a drain",
		directorCommand(c, "Let a director own addresses again; what has a placement may move to it", false))
}

func directorCommand(c *cli, short string, draining bool) *cobra.Command {
	return &cobra.Command{
		Use:   "director NAME",
		Short: short,
		Args:  arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := c.client().Drain(cmd.Context(), api.DrainRequest{Director: args[0], Draining: draining}, progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, args[0]+" goes on draining; `quorate enable director "+args[0]+"` ends that")
		},
	}
}
