package main

import (
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func drainCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "drain", Short: "Take load away from a director, without loss"}
	cmd.AddCommand(directorCommand(c, "Ask a director to own nothing; returns when that is so", true))
	return cmd
}

func enableCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "enable", Short: "End a drain"}
	cmd.AddCommand(directorCommand(c, "Let a director own addresses again; nothing moves to it by that", false))
	return cmd
}

func directorCommand(c *cli, short string, draining bool) *cobra.Command {
	return &cobra.Command{
		Use:   "director NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.client().Drain(cmd.Context(), api.DrainRequest{Director: args[0], Draining: draining}, progress(cmd.ErrOrStderr()))
		},
	}
}
