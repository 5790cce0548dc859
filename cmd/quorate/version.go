package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/agent"
)

func versionCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this binary and the feature levels that it supports",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.json() {
				return printJSON(cmd.OutOrStdout(), map[string]any{
					"version": version, "go": runtime.Version(), "min_level": agent.MinLevel, "max_level": agent.MaxLevel,
				})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "quorate %s (%s), feature levels %d to %d\n", version, runtime.Version(), agent.MinLevel, agent.MaxLevel)
			return err
		},
	}
}
