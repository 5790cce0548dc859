package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
)

// progress prints the steps of a long operation to where people look, not to where programs read.
func progress(w io.Writer) api.Progress {
	return func(step string) { fmt.Fprintln(w, step) }
}

func initCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make a cluster, with the local agent as its first director",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := c.client().Init(cmd.Context(), progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, "`quorate status` shows whether the cluster was made")
		},
	}
}

func joinCommand(c *cli) *cobra.Command {
	var token string
	cmd := &cobra.Command{
		Use:   "join ADDRESS --token TOKEN",
		Short: "Let the local agent join the cluster that a director at ADDRESS is in",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || slices.ContainsFunc(args, pki.HasToken) { // what is too much may be the token, whole or not
				return fmt.Errorf("behind join is ADDRESS alone, and the token behind --token: write `%s`", cmd.UseLine())
			}
			return arguments("ADDRESS")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if token == "" {
				return fmt.Errorf("no token: `quorate token create` on a member prints one; then write `%s`", cmd.UseLine())
			}
			err := c.client().Join(cmd.Context(), api.JoinRequest{Address: args[0], Token: token}, progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, "if `quorate status` shows no cluster, the same command goes on where it stopped; else the agent goes on by itself")
		},
	}
	cmd.Flags().StringVar(&token, "token", "", "what quorate token create printed")
	return cmd
}

func leaveCommand(c *cli) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Hand over, leave the cluster, and remove what quorate made on this host",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := c.client().Leave(cmd.Context(), api.LeaveRequest{Force: force}, progress(cmd.ErrOrStderr()))
			return interrupted(cmd.Context(), err, "the agent goes on leaving; `quorate status` shows when it is in no cluster")
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "leave though the cluster loses its quorum or an address its owner")
	return cmd
}

func removeCommand(c *cli) *cobra.Command {
	const short = "End the membership of a director that is gone for good"
	cmd := removeDirector(c, "remove NAME", short+", or remove a server, service, ... without a file")
	cmd.AddCommand(removeDirector(c, "director NAME", short+", whatever its name is"))
	removeEdits(c, cmd)
	return cmd
}

// removeDirector makes the command that removes a member. There are two of them, `remove NAME` and `remove director NAME`, since
// a director may be called "router" or "server".
func removeDirector(c *cli, use, short string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.client().Remove(cmd.Context(), args[0], force)
			if err == nil && !nothingToEnd(cmd.ErrOrStderr(), e) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is no longer a member; if it comes back, `quorate leave` there removes what quorate made\n", args[0])
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "remove it though it is alive, or the cluster loses its quorum")
	return cmd
}

// nothingToEnd prints that something had been ended before, and reports whether it had.
func nothingToEnd(w io.Writer, e api.Ended) bool {
	if e.Before != "" {
		fmt.Fprintf(w, "%s: nothing to do\n", e.Before)
	}
	return e.Before != ""
}

// revokeCommand makes the command that takes back a token, or a certificate: both are known by an ID.
func revokeCommand(c *cli, short string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: short,
		Args:  arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.client().RevokeToken(cmd.Context(), args[0])
			nothingToEnd(cmd.ErrOrStderr(), e)
			return err
		},
	}
}

func membersCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "members",
		Short: "List the members of the cluster",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := c.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			if st.Cluster == "" && len(st.Directors) == 0 {
				return errors.New(strings.Join(st.Warnings, "; "))
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), st.Directors)
			}
			return table(cmd.OutOrStdout(), func(w io.Writer) { printDirectors(w, st) })
		},
	}
}

func tokenCommand(c *cli) *cobra.Command {
	var role string
	lifetime := days(time.Hour)
	create := &cobra.Command{
		Use:   "create",
		Short: "Print a token for one join; it is shown only once",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := c.client().CreateToken(cmd.Context(), api.TokenRequest{Role: role, Lifetime: time.Duration(lifetime)})
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), t)
			}
			// The token alone is what programs read; who looks on is told how to take it back.
			fmt.Fprintf(cmd.ErrOrStderr(), "token %s is good for one join until %s; `quorate token revoke %s` takes it back\n",
				t.ID, t.Expires.Local().Format(time.DateTime), t.ID)
			_, err = fmt.Fprintln(cmd.OutOrStdout(), t.Token)
			return err
		},
	}
	create.Flags().StringVar(&role, "role", "director", "director or witness")
	create.Flags().Var(&lifetime, "lifetime", "how long the token is good, a year at most")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the tokens that were made, without their secrets",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ts, err := c.client().Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return printTokens(cmd.OutOrStdout(), c, "USED BY", only(ts, false))
		},
	}
	return commands("token", "Make, list and revoke tokens that let a director join", create, list, revokeCommand(c, "Make a token useless"))
}

// table prints aligned columns, with no blanks at the ends of lines.
func table(w io.Writer, rows func(io.Writer)) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	rows(tw)
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
