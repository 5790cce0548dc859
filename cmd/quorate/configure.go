package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

func validateCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Find all mistakes in cluster files, a directory of them, or - for standard input; needs no agent",
		Args:  clusterFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.json() {
				return validateJSON(cmd, args)
			}
			cfg, _, err := readCluster(cmd.Context(), args, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			verb := "is"
			if len(args) > 1 {
				verb = "are"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s valid: %s, %s, %s\n", strings.Join(args, ", "), verb,
				count(len(cfg.Routers), "router"), count(len(cfg.SyncGroups), "sync group"), count(cfg.Services.Len(), "service"))
			return err
		},
	}
}

// validateJSON is validate for programs.
func validateJSON(cmd *cobra.Command, paths []string) error {
	_, problems, err := readCluster(cmd.Context(), paths, cmd.InOrStdin(), io.Discard)
	var code exitCode
	if err != nil && !errors.As(err, &code) {
		return err
	}
	out := struct {
		Valid    bool            `json:"valid"`
		Problems config.Problems `json:"problems"`
	}{problems.Err() == nil, append(config.Problems{}, problems...)}
	if bad := printJSON(cmd.OutOrStdout(), out); bad != nil {
		return bad
	}
	return err
}

// count is a number of things, in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "sh") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func planCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "plan FILE...",
		Short: "Show what an apply of FILE, or of - for standard input, would change: exit 0 nothing, 2 something, 1 error",
		Args:  clusterFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, plan, err := c.plan(cmd, args)
			if err != nil {
				return err
			}
			warnEmptied(cmd, &plan, emptied(cfg, plan), "`quorate apply` wants --allow-empty for that")
			return c.planned(cmd, plan)
		},
	}
}

// planned prints a plan, and ends as its exit code says.
func (c *cli) planned(cmd *cobra.Command, plan api.Plan) error {
	var err error
	if c.json() {
		err = printJSON(cmd.OutOrStdout(), plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), plan)
	}
	if err == nil {
		err = unfit(plan, "")
	}
	if err == nil && len(plan.Changes) > 0 {
		return exitCode(exitChange)
	}
	return err
}

func (c *cli) plan(cmd *cobra.Command, paths []string) (fsm.Config, api.Plan, error) {
	cfg, problems, err := readCluster(cmd.Context(), paths, cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return cfg, api.Plan{}, err
	}
	plan, err := c.client().Plan(cmd.Context(), api.ApplyRequest{Config: cfg})
	ofAgent := problems.Besides(plan.Problems)
	fmt.Fprint(cmd.ErrOrStderr(), ofAgent.Warnings())
	plan.Problems = slices.Concat(problems, ofAgent).ErrorsFirst() // with their places, where they are in the files
	return cfg, plan, err
}

// emptied says which routers or services are all removed: "all 3 routers", or "". The file may be cut off, or only one of the
// several files of the configuration, and is valid all the same.
func emptied(cfg fsm.Config, plan api.Plan) string {
	removed := map[config.Kind]int{}
	for _, c := range plan.Changes {
		if c.Verb == config.Remove {
			removed[c.Kind]++
		}
	}
	var all []string
	for _, left := range []struct {
		kind config.Kind
		n    int
	}{{config.KindRouter, len(cfg.Routers)}, {config.KindService, cfg.Services.Len()}} {
		switch n := removed[left.kind]; {
		case left.n > 0 || n == 0:
		case n == 1:
			all = append(all, "the only "+string(left.kind))
		default:
			all = append(all, "all "+count(n, string(left.kind)))
		}
	}
	return strings.Join(all, " and ")
}

// warnEmptied adds the warning that all of something is removed to a plan, and prints it.
func warnEmptied(cmd *cobra.Command, plan *api.Plan, what, hint string) {
	if what == "" {
		return
	}
	p := config.Problem{Warning: true, Text: "this removes " + what, Hint: hint}
	plan.Problems = append(plan.Problems, p)
	fmt.Fprintln(cmd.ErrOrStderr(), p)
}

// unfit returns the errors of a plan in one line: what the directors could not do, which the files alone do not show. Then is
// appended.
func unfit(plan api.Plan, then string) error {
	var texts []string
	for _, p := range plan.Problems.Errors() {
		text := p.Text
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; ") + then)
}

func printPlan(w io.Writer, plan api.Plan) error {
	if len(plan.Changes) == 0 {
		waits := ""
		if !plan.Until.IsZero() {
			waits = fmt.Sprintf(", which waits for `quorate confirm`: it is taken back at %s unless that comes", clock(plan.Until))
		}
		_, err := fmt.Fprintf(w, "no change: the cluster is at this configuration, revision %d%s\n", plan.Base, waits)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "changes to revision %d:\n\n%s", plan.Base, config.Render(plan.Changes))
	for _, name := range slices.Sorted(maps.Keys(plan.Kernel)) {
		if len(plan.Kernel[name]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\nIPVS operations on %s: %d\n", name, len(plan.Kernel[name]))
		for _, op := range plan.Kernel[name] {
			fmt.Fprintln(&b, "  "+op)
		}
	}
	for _, name := range plan.Unknown {
		fmt.Fprintf(&b, "\nIPVS operations on %s: not known, it does not answer\n", name)
	}
	switch {
	case plan.AtLeast:
		fmt.Fprintf(&b, "\nestablished connections at risk: at least %d, since not every director could say\n", plan.Connections)
	case plan.Connections > 0:
		fmt.Fprintf(&b, "\nestablished connections at risk: %d\n", plan.Connections)
	}
	for _, r := range plan.Risks {
		fmt.Fprintf(&b, "  %d: %s\n", r.Connections, r.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func applyCommand(c *cli) *cobra.Command {
	var yes, allowEmpty bool
	var terms terms
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Make FILE the configuration of the whole cluster",
		Long: "Make FILE the configuration of the whole cluster, in one log entry and as a new revision: it shows the plan, asks, and applies what it\n" +
			"has shown or nothing. With --confirm it takes itself back unless `quorate confirm` comes in time, whatever becomes of this terminal.\n" +
			"What would leave no router, or no service, of those that there are is refused without --allow-empty, even with --yes. FILE may be - for standard input; it takes --yes then.",
		Args: clusterFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			how, err := terms.read(cmd)
			if err != nil {
				return err
			}
			cfg, plan, err := c.plan(cmd, args)
			if err != nil {
				return err
			}
			if err := unfit(plan, nothingApplied); err != nil {
				return err
			}
			what := emptied(cfg, plan)
			if what != "" && !allowEmpty {
				return fmt.Errorf("this removes %s: is it the right file, and all of it? --allow-empty says that it is meant so%s", what, nothingApplied)
			}
			warnEmptied(cmd, &plan, what, "")
			return c.commit(cmd, change{
				plan: plan, question: "apply this?", not: "not applied", done: "applied", idle: "nothing to change",
				do: func() (api.ApplyResult, error) {
					return c.client().Apply(cmd.Context(), api.ApplyRequest{Base: plan.Base, Config: cfg, Terms: how})
				},
			}, yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&allowEmpty, "allow-empty", false, "apply what leaves no router, or no service, of those that there are")
	terms.flags(cmd)
	return cmd
}

// nothingApplied ends an error that says why nothing was applied.
const nothingApplied = "; nothing was applied"

// change is a plan that is fit, how it is spoken of, and what carries it out.
type change struct {
	plan          api.Plan
	head          string // over the plan; may be empty
	question, not string // to a person, and what is said if that one does not agree
	done, idle    string // what was done, or that there was nothing to do
	do            func() (api.ApplyResult, error)
}

// commit shows a change, asks, and carries it out.
func (c *cli) commit(cmd *cobra.Command, ch change, yes bool) error {
	if len(ch.plan.Changes) == 0 {
		if !ch.plan.Until.IsZero() { // it would be taken back: the cluster says so, and refuses
			if _, err := ch.do(); err != nil {
				return err
			}
		}
		return c.applied(cmd, api.ApplyResult{Revision: ch.plan.Base}, ch.plan, ch.idle)
	}
	if !c.json() || !yes { // nobody is asked about what was not shown
		w := cmd.OutOrStdout()
		if c.json() {
			w = cmd.ErrOrStderr()
		}
		_, err := io.WriteString(w, ch.head)
		if err == nil {
			err = printPlan(w, ch.plan)
		}
		if err != nil {
			return err
		}
	}
	if !yes {
		if err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), ch.question, ch.not); err != nil {
			return err
		}
	}
	res, err := ch.do()
	if err != nil {
		return unheard(cmd.Context(), err, "applied")
	}
	return c.applied(cmd, res, ch.plan, ch.done)
}

// unheard says of a change that was sent, and whose answer did not come or was not waited for, how to learn what became of it.
func unheard(ctx context.Context, err error, what string) error {
	fate := fmt.Sprintf("it is not known whether the change was %s, and `quorate history` shows it", what)
	var unanswered *api.UnansweredError
	if ctx.Err() == nil && errors.As(err, &unanswered) {
		return fmt.Errorf("%w: %s", err, fate)
	}
	return interrupted(ctx, err, fate)
}

func (c *cli) applied(cmd *cobra.Command, res api.ApplyResult, plan api.Plan, what string) error {
	if c.json() {
		return printJSON(cmd.OutOrStdout(), struct {
			api.ApplyResult
			Problems config.Problems `json:"problems"`
		}{res, append(config.Problems{}, plan.Problems.Warnings()...)})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: revision %d\n", what, res.Revision)
	if err == nil && !res.Until.IsZero() {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "it is taken back at %s unless `quorate confirm` comes\n", clock(res.Until))
	}
	return err
}

// author names who runs this command, for the history.
func author() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func showCommand(c *cli) *cobra.Command {
	var syntax string
	var revision uint64
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the cluster's configuration as a cluster file",
		Long: "Print the cluster's configuration as a cluster file, which changes nothing when it is applied. Comments, locals and\n" +
			"for_each of the files that were applied are not kept, and keys of routers are not printed. With --revision it is the\n" +
			"configuration as it was then; `quorate history` lists the revisions.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if syntax != "hcl" && syntax != "json" {
				return fmt.Errorf("syntax %q: hcl or json", syntax)
			}
			var cfg fsm.Config
			var err error
			if cmd.Flags().Changed("revision") {
				cfg, err = c.client().ConfigAt(cmd.Context(), revision)
			} else {
				cfg, revision, err = c.client().Config(cmd.Context())
			}
			if err != nil {
				return err
			}
			switch {
			case c.json():
				return printJSON(cmd.OutOrStdout(), map[string]any{"revision": revision, "config": cfg})
			case syntax == "json":
				_, err = cmd.OutOrStdout().Write(config.FormatJSON(cfg))
			default:
				_, err = cmd.OutOrStdout().Write(config.Format(cfg))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&syntax, "syntax", "hcl", "of the cluster file: hcl or json")
	cmd.Flags().Uint64Var(&revision, "revision", 0, "the configuration as it was at that revision")
	return cmd
}
