package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

func snapshotCommand(c *cli) *cobra.Command {
	return commands("snapshot", "Save the cluster's state in a file, look at one, restore from one",
		saveCommand(c), inspectCommand(c), restoreCommand(c))
}

func saveCommand(c *cli) *cobra.Command {
	var (
		stale bool
		from  string
	)
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Write the cluster's state to FILE, which is a secret: the cluster's keys are in it",
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fileFor(args[0]); err != nil {
				return err
			}
			text, err := c.toSave(cmd, stale, from)
			if err != nil {
				return err
			}
			saved, err := fsm.DecodeSaved(text) // what cannot be read back is not kept
			if err != nil {
				return fmt.Errorf("what there is to save: %w; nothing was written", err)
			}
			if err := durable.Write(args[0], text, 0o600); err != nil {
				return fmt.Errorf("write %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s holds the cluster's CA key, gossip key and router keys: who can read it can become a director\n", args[0])
			if c.json() {
				return printJSON(cmd.OutOrStdout(), describe(saved))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "saved: revision %d as of log entry %d, state %s\n", saved.State.Revision, saved.State.Index, saved.State.Hash())
			return err
		},
	}
	cmd.Flags().BoolVar(&stale, "stale", false, "save what this director has, though no leader can be asked")
	cmd.Flags().StringVar(&from, "from", "", "save what can be read in this data directory, whose agent is stopped or cannot start")
	cmd.MarkFlagsMutuallyExclusive("stale", "from")
	return cmd
}

// toSave is a state for a file: the agent's, or what is left in a data directory whose agent does not run.
func (c *cli) toSave(cmd *cobra.Command, stale bool, from string) ([]byte, error) {
	if from == "" {
		got, err := c.client().SaveSnapshot(cmd.Context(), api.SaveRequest{Stale: stale})
		return got.Text, err
	}
	saved, missing, err := cluster.Remains(from, hclog.NewNullLogger())
	if err != nil {
		return nil, err
	}
	if missing != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "there may have been more: %v\n", missing)
	}
	saved.Version = version
	return saved.Encode()
}

func inspectCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what is in a saved state, without its secrets; needs no agent",
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, saved, err := readSaved(args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), describe(saved))
			}
			return table(cmd.OutOrStdout(), func(w io.Writer) { printSaved(w, saved) })
		},
	}
}

func restoreCommand(c *cli) *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the configuration in a saved state the cluster's again",
		Long: "Make the configuration in a saved state, router keys included, the cluster's again. It is one log entry and a new revision.\n" +
			"All that is about the present stays: members, certificates, tokens, drains, owners and their epochs, verdicts.",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, saved, err := readSaved(args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			r := api.RestoreRequest{Text: text, Force: force, Author: author()}
			plan, err := c.client().PlanRestore(cmd.Context(), r)
			if err == nil {
				err = unfit(plan, "; nothing was restored")
			}
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			fmt.Fprint(cmd.ErrOrStderr(), plan.Problems.Warnings())
			r.Base = plan.Base
			return c.commit(cmd, change{
				plan: plan, head: fmt.Sprintf("from revision %d, saved %s:\n", saved.State.Revision, saved.At.Local().Format(time.DateTime)),
				question: "restore this?", not: "not restored", done: "restored", idle: "nothing to restore",
				do: func() (api.ApplyResult, error) { return c.client().Restore(cmd.Context(), r) },
			}, yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "restore the configuration of another cluster")
	return cmd
}

// readSaved reads a saved state. All of it is in memory, so what is no file is not read to its end.
func readSaved(file string, errOut io.Writer) ([]byte, fsm.Saved, error) {
	st, err := os.Stat(file)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", file, errNoFile)
	}
	if err != nil {
		return nil, fsm.Saved{}, fmt.Errorf("saved state: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fsm.Saved{}, fmt.Errorf("saved state: %w", err)
	}
	saved, err := fsm.DecodeSaved(text)
	if errors.Is(err, fsm.ErrDamaged) {
		err = fmt.Errorf("%w: take another copy of it", err)
	}
	if err != nil {
		return nil, saved, fmt.Errorf("%s: %w", file, err)
	}
	tellOpen(errOut, file, "become a director")
	return text, saved, nil
}

var errNoFile = fmt.Errorf("%w: it is no regular file", fs.ErrInvalid)

// savedMember is a member in a saved state.
type savedMember struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Role    string `json:"role"`
	Address string `json:"address"`
	Version string `json:"version"`
}

// savedGroup is who owned a group.
type savedGroup struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
	Epoch uint64 `json:"epoch"`
}

// savedSummary is what may be shown of a saved state.
type savedSummary struct {
	Saved        time.Time     `json:"saved"`
	Director     string        `json:"director"`
	Version      string        `json:"version"`
	Stale        bool          `json:"stale"`
	Cluster      string        `json:"cluster"`
	ClusterEpoch uint64        `json:"cluster_epoch"`
	Index        uint64        `json:"applied_index"`
	Revision     uint64        `json:"revision"`
	Level        int           `json:"feature_level"`
	StateHash    string        `json:"state_hash"`
	Members      []savedMember `json:"members"`
	Groups       []savedGroup  `json:"groups"`
	Routers      int           `json:"routers"`
	SyncGroups   int           `json:"sync_groups"`
	Services     int           `json:"services"`
	Servers      int           `json:"servers"`
	Tracks       int           `json:"tracks"`
	Tokens       int           `json:"tokens"`
}

func describe(s fsm.Saved) savedSummary {
	c := s.State.Config
	d := savedSummary{
		Saved: s.At, Director: s.Director, Version: s.Version, Stale: s.Stale, Cluster: s.State.ClusterID, ClusterEpoch: s.State.ClusterEpoch(),
		Index: s.State.Index, Revision: s.State.Revision, Level: s.State.Level, StateHash: s.State.Hash(), Members: []savedMember{}, Groups: []savedGroup{},
		Routers: len(c.Routers), SyncGroups: len(c.SyncGroups), Services: c.Services.Len(), Tracks: len(c.Tracks), Tokens: len(s.State.Secrets().Tokens),
	}
	for _, svc := range c.Services.All() {
		d.Servers += len(svc.Servers)
	}
	for _, name := range slices.Sorted(maps.Keys(s.State.Members)) {
		m := s.State.Members[name]
		d.Members = append(d.Members, savedMember{m.Name, m.ID, string(m.Role), m.Address.String(), m.Version})
	}
	for _, name := range slices.Sorted(maps.Keys(s.State.Groups)) {
		g := s.State.Groups[name]
		d.Groups = append(d.Groups, savedGroup{name, g.Owner, g.Epoch})
	}
	return d
}

func printSaved(w io.Writer, s fsm.Saved) {
	d := describe(s)
	what := "all that was agreed then"
	if d.Stale {
		what = "what this director had then; nobody else was asked"
	}
	fmt.Fprintf(w, "saved\t%s by %s (quorate %s)\n", d.Saved.Local().Format(time.DateTime), d.Director, d.Version)
	fmt.Fprintf(w, "holds\t%s\n", what)
	fmt.Fprintf(w, "cluster\t%s, epoch %d\n", d.Cluster, d.ClusterEpoch)
	fmt.Fprintf(w, "state\trevision %d, index %d, level %d\n", d.Revision, d.Index, d.Level)
	fmt.Fprintf(w, "hash\t%s\n", d.StateHash)
	fmt.Fprintf(w, "configuration\t%s\n", strings.Join([]string{
		count(d.Routers, "router"), count(d.SyncGroups, "sync group"), count(d.Services, "service"), count(d.Servers, "real server"), count(d.Tracks, "track"),
	}, ", "))
	fmt.Fprintf(w, "secrets\tCA key, gossip key, %s, %s: not shown\n", count(len(s.State.Secrets().VRRPKeys), "router key"), count(d.Tokens, "token hash"))
	for _, m := range d.Members {
		fmt.Fprintf(w, "member\t%s, a %s at %s, version %s\n", m.Name, m.Role, m.Address, m.Version)
	}
	for _, g := range d.Groups {
		fmt.Fprintf(w, "group\t%s, owned by %s in epoch %d\n", g.Name, dash(g.Owner), g.Epoch)
	}
}
