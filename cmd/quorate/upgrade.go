package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func upgradeCommand(c *cli) *cobra.Command {
	return commands("upgrade", "Let the cluster use what a new version brings", &cobra.Command{
		Use:   "finish",
		Short: "Raise the cluster's feature level to this version's; there is no way back to older ones then",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			res, err := c.client().FinishUpgrade(cmd.Context(), api.UpgradeRequest{Author: author()})
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), res)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the cluster is at feature level %d, was at %d\n", res.Level, res.Was)
			return err
		},
	})
}
