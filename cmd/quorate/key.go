package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

func keyCommand(c *cli) *cobra.Command {
	rotate := commands("rotate", "Put another key of the cluster in the place of one, while it runs", rotateCommand(c, "gossip", "Have the directors gossip by another key"))
	finish := commands("finish", "Drop a key that was rotated, though a director may still need it", finishCommand(c, "gossip", "Take the former gossip key no more"))
	return commands("key", "Rotate the cluster's own keys", keyStatusCommand(c), rotate, finish)
}

func keyStatusCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which keys the directors use, by their IDs, and what a rotation waits for",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ks, err := c.client().Keys(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), ks)
			}
			for i, k := range ks {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := printKey(cmd.OutOrStdout(), k); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func rotateCommand(c *cli, what, short string) *cobra.Command {
	return &cobra.Command{
		Use:   what,
		Short: short,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := c.client().RotateKey(cmd.Context(), api.RotateRequest{What: what, Author: author()}, progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, "the rotation goes on; `quorate key status` shows how far it is")
		},
	}
}

func finishCommand(c *cli, what, short string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   what,
		Short: short,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := c.client().FinishRotation(cmd.Context(), api.FinishRotationRequest{What: what, Force: force, Author: author()})
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), k)
			}
			return printKey(cmd.OutOrStdout(), k)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "though a director is away, or uses it still")
	return cmd
}

// printKey shows who uses which key.
func printKey(w io.Writer, k api.KeyStatus) error {
	fmt.Fprintf(w, "%s %s%s\n", k.What, k.Present, rotation(k))
	return table(w, func(w io.Writer) {
		fmt.Fprintln(w, "  DIRECTOR\tUSES")
		for _, d := range k.Directors {
			uses := dash(d.Uses)
			if !d.Answers {
				uses = "does not answer"
			}
			fmt.Fprintf(w, "  %s\t%s\n", d.Name, uses)
		}
	})
}

// rotation says how far a rotation is and what it waits for, if there is one.
func rotation(k api.KeyStatus) string {
	switch {
	case k.Next != "":
		return ": " + k.Next + " follows it once every director that answers takes it"
	case k.Former != "" && len(k.WaitsFor) > 0:
		return ": " + k.Former + " is still taken, since " + strings.Join(k.WaitsFor, "; ")
	case k.Former != "":
		return ": " + k.Former + " is still taken"
	}
	return ""
}
