package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cmd/quorate/rolling"
)

func upgradeCommand(c *cli) *cobra.Command {
	return commands("upgrade", "Go from one version to the next, one director after another", upgradeStatusCommand(c), upgradeNextCommand(c), upgradeFinishCommand(c))
}

func upgradeFinishCommand(c *cli) *cobra.Command {
	return &cobra.Command{
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
			said := fmt.Sprintf("the cluster is at feature level %d, was at %d", res.Level, res.Was)
			if res.Was == res.Level {
				said = fmt.Sprintf("the cluster is at feature level %d already, and this director's version supports none beyond it", res.Level)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
			return err
		},
	}
}

func upgradeStatusCommand(c *cli) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show who runs what, what the next feature level waits for, and what it brings",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := c.client().UpgradeStatus(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				err = printJSON(cmd.OutOrStdout(), st)
			} else {
				err = printUpgrade(cmd.OutOrStdout(), st)
			}
			if err != nil || !check {
				return err
			}
			whole, err := c.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			if why := rolling.NotNow(whole); len(why) > 0 {
				return fmt.Errorf("no director may be taken out now: %s", strings.Join(why, "; "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1, and say why, unless the next director may be taken out now")
	return cmd
}

func upgradeNextCommand(c *cli) *cobra.Command {
	var to, command string
	var goOn, yes bool
	cmd := &cobra.Command{
		Use:   "next",
		Short: "Take one director after another out, until each runs this version and all is as it was before",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.knowsVersion(cmd, to, yes); err != nil {
				return err
			}
			u := &rolling.Upgrade{Agent: c.client(), Version: to, Continue: goOn, Say: progress(cmd.ErrOrStderr())}
			if command != "" {
				u.Restart = func(ctx context.Context, d api.DirectorStatus) error { return restart(ctx, cmd, command, d) }
			}
			err := u.Run(cmd.Context())
			fate := "no director is drained by it; `quorate upgrade next` goes on"
			if out := u.Out(); out != "" {
				fate = fmt.Sprintf("%s is drained; `quorate upgrade next --continue` goes on with it, `quorate enable director %s` lets it in", out, out)
			}
			return interrupted(cmd.Context(), err, fate)
		},
	}
	cmd.Flags().StringVar(&to, "to", version, "the version that all are to run: that of this program")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask whether a version that neither this program nor any director has is meant")
	cmd.Flags().BoolVar(&goOn, "continue", false, "go on with the director that an upgrade which was stopped has taken out, and that drains")
	cmd.Flags().StringVar(&command, "restart", "", "run by a shell to install and start it, with QUORATE_DIRECTOR and QUORATE_HOST; without it, a person does")
	return cmd
}

// versionForm is how builds of quorate say their version: a release with what a package adds to it, what `git describe`
// says of a commit, or that nobody told it.
var versionForm = regexp.MustCompile(`^(v?[0-9]+(\.[0-9]+)*([-+~][0-9A-Za-z.+~-]*)?|[0-9a-f]{7,40}(-dirty)?|devel|unknown)$`)

// knowsVersion is an error unless a version may be one that directors come to run: a director would be taken out, and
// waited for in vain.
func (c *cli) knowsVersion(cmd *cobra.Command, to string, yes bool) error {
	if !versionForm.MatchString(to) {
		return fmt.Errorf("%q is no version of quorate, which are written as 1.2.3 or as `git describe` has them; nobody was taken out", to)
	}
	if to == version || yes {
		return nil
	}
	st, err := c.client().Status(cmd.Context())
	if err != nil {
		return err
	}
	var run []string
	for _, d := range st.Directors {
		if d.Version == to {
			return nil
		}
		if !slices.Contains(run, d.Version) {
			run = append(run, d.Version)
		}
	}
	slices.Sort(run)
	said := fmt.Sprintf("no director runs version %s (they run %s), and this program is %s", to, strings.Join(run, ", "), version)
	return confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), said+". Take directors out for it?", said+"; nobody was taken out")
}

// restart runs the command of a person that starts a director with another version.
func restart(ctx context.Context, cmd *cobra.Command, command string, d api.DirectorStatus) error {
	host, _, err := net.SplitHostPort(d.Address)
	if err != nil {
		return fmt.Errorf("address of %s: %w", d.Name, err)
	}
	sh := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	sh.Env = append(os.Environ(), "QUORATE_DIRECTOR="+d.Name, "QUORATE_HOST="+host)
	sh.Stdout, sh.Stderr = cmd.ErrOrStderr(), cmd.ErrOrStderr()
	if err := sh.Run(); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

func printUpgrade(w io.Writer, st api.UpgradeStatus) error {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster at feature level %d\n\n", st.Level)
	err := table(&b, func(w io.Writer) {
		fmt.Fprintln(w, "DIRECTOR\tSTATE\tVERSION\tLEVELS")
		for _, d := range st.Directors {
			name, version := d.Name, dash(d.Version)
			if name == st.Leader {
				name += " *"
			}
			if d.State == "unreachable" {
				version += ", as it said last"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d to %d\n", name, d.State, version, d.MinLevel, d.MaxLevel)
		}
	})
	if err != nil {
		return err
	}
	for _, next := range st.Next {
		fmt.Fprintf(&b, "\nlevel %d %s\n", next.Level, waits(st, next))
		for _, feature := range next.Brings {
			fmt.Fprintln(&b, " ", feature)
		}
	}
	if beyond := unknownLevels(st); beyond != "" {
		fmt.Fprintln(&b, "\n"+beyond)
	}
	if len(st.Next) == 0 {
		fmt.Fprintf(&b, "\nthere is no level beyond that for the version of %s\n", st.Name)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// waits says what a level waits for.
func waits(st api.UpgradeStatus, next api.NextLevel) string {
	switch {
	case len(next.WaitsFor) > 0:
		return "waits for a newer version on " + strings.Join(next.WaitsFor, ", ") + "; it brings"
	case st.RaiseTo < next.Level:
		return "waits for `quorate upgrade finish`, or for the leader, which does not say when it raises it; it brings"
	case st.ByHand:
		return "waits for `quorate upgrade finish` alone, as an agent file says (raise_level_after); it brings"
	case len(st.RaiseAwaits) > 0:
		return fmt.Sprintf("comes at %s at the earliest, and not while %s; or with `quorate upgrade finish`. Until then there is a way back to older versions. It brings",
			st.RaiseAt.Local().Format(time.DateTime), strings.Join(st.RaiseAwaits, " or "))
	}
	return fmt.Sprintf("comes at %s, or with `quorate upgrade finish`; until then there is a way back to older versions. It brings",
		st.RaiseAt.Local().Format(time.DateTime))
}

// unknownLevels says that a member knows levels of which the director that answers knows nothing.
func unknownLevels(st api.UpgradeStatus) string {
	known := st.Level
	for _, next := range st.Next {
		known = max(known, next.Level)
	}
	for _, d := range st.Directors {
		if d.MaxLevel > known {
			return fmt.Sprintf("%s knows levels up to %d: ask there what they bring", d.Name, d.MaxLevel)
		}
	}
	return ""
}
