package main

import (
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func moveCommand(c *cli) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "move GROUP DIRECTOR",
		Short: "Move a group of addresses to a director, without loss; returns when it owns them",
		Args:  arguments("GROUP", "DIRECTOR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := api.MoveRequest{Group: args[0], Director: args[1], Force: force, Author: author()}
			err := c.client().Move(cmd.Context(), r, progress(cmd.ErrOrStderr()))
			if err == nil && c.json() {
				return c.printGroup(cmd, args[0])
			}
			return interrupted(cmd.Context(), err, "the move goes on; `quorate status` shows who owns "+args[0])
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "move it though the director is not ready, connections would be lost, or it is cut off on a segment")
	return cmd
}

// printGroup prints a group as `status -o json` has it.
func (c *cli) printGroup(cmd *cobra.Command, name string) error {
	st, err := c.client().Status(cmd.Context())
	if err != nil {
		return err
	}
	for _, g := range st.Groups {
		if g.Name == name {
			return printJSON(cmd.OutOrStdout(), g)
		}
	}
	return nil
}
