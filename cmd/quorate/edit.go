package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
)

// Things that can be edited without a file, and what is written to name one.
var editable = []struct {
	kind  config.Kind
	names []string
	keys  string // an example
}{
	{config.KindServer, []string{"SERVICE", "ADDRESS"}, "weight=3"},
	{config.KindFallback, []string{"SERVICE", "ADDRESS"}, "weight=1"},
	{config.KindCheck, []string{"SERVICE", "KIND"}, "interval=5s"},
	{config.KindService, []string{"SERVICE"}, "scheduler=wlc"},
	{config.KindRouter, []string{"ROUTER"}, "interval=1s"},
}

const editLong = "It is a revision of its own, with its event and its line in the history, and changes the configuration as it is: nobody is asked.\n" +
	"Keys are those of the cluster file (docs/reference.md); KEY= without a value is the key's default. --plan shows what it would do."

func setCommand(c *cli) *cobra.Command {
	cmd := commands("set", "Change a server, service, ... of the configuration without a file")
	for _, e := range editable {
		cmd.AddCommand(c.editCommand(config.Modify, e.kind, e.names, e.keys))
	}
	return cmd
}

func addCommand(c *cli) *cobra.Command {
	cmd := commands("add", "Add a server, service, ... to the configuration without a file")
	for _, e := range editable {
		cmd.AddCommand(c.editCommand(config.Add, e.kind, e.names, e.keys))
	}
	return cmd
}

// removeEdits adds to the command that removes directors those that remove parts of the configuration.
func removeEdits(c *cli, cmd *cobra.Command) {
	for _, e := range editable {
		names := e.names
		if e.kind == config.KindFallback {
			names = names[:1] // a service has one
		}
		cmd.AddCommand(c.editCommand(config.Remove, e.kind, names, ""))
	}
}

func (c *cli) editCommand(verb config.Verb, kind config.Kind, names []string, keys string) *cobra.Command {
	var plan bool
	var terms terms
	use := string(kind) + " " + strings.Join(names, " ")
	word := map[config.Verb]string{config.Modify: "Change", config.Add: "Add", config.Remove: "Remove"}[verb]
	args := arguments(names...)
	if verb != config.Remove {
		use += " [KEY=VALUE...]"
		args = func(cmd *cobra.Command, given []string) error {
			return arguments(names...)(cmd, given[:min(len(given), len(names))])
		}
	}
	cmd := &cobra.Command{
		Use:   use,
		Short: fmt.Sprintf("%s a %s, as a new revision", word, kind),
		Long:  fmt.Sprintf("%s a %s.\n%s", word, kind, editLong),
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			e := config.Edit{Verb: verb, Kind: kind, In: args[0], Keys: map[string]string{}}
			if len(names) > 1 {
				e.Name = args[1]
			}
			for _, text := range args[len(names):] {
				key, value, ok := strings.Cut(text, "=")
				if !ok {
					return fmt.Errorf("%q is no KEY=VALUE: write `%s %s %s`", text, cmd.CommandPath(), strings.Join(names, " "), keys)
				}
				e.Keys[key] = value
			}
			how, err := terms.read(cmd)
			if err != nil {
				return err
			}
			return c.edit(cmd, api.EditRequest{Edits: []config.Edit{e}, Terms: how}, plan)
		},
	}
	cmd.Flags().BoolVar(&plan, "plan", false, "show what it would do: exit 0 nothing, 2 something, 1 error")
	terms.flags(cmd)
	return cmd
}

func (c *cli) edit(cmd *cobra.Command, r api.EditRequest, planOnly bool) error {
	if planOnly {
		plan, err := c.client().PlanEdit(cmd.Context(), r)
		if err != nil {
			return err
		}
		fmt.Fprint(cmd.ErrOrStderr(), plan.Problems.Warnings())
		return c.planned(cmd, plan)
	}
	res, err := c.client().Edit(cmd.Context(), r)
	if err != nil {
		return unheard(cmd.Context(), err, "applied")
	}
	what := "applied"
	if len(res.Changes) == 0 {
		what = "nothing to change"
	} else if !c.json() {
		if _, err := fmt.Fprint(cmd.OutOrStdout(), config.Render(res.Changes)); err != nil {
			return err
		}
	}
	fmt.Fprint(cmd.ErrOrStderr(), res.Warnings)
	if c.json() {
		return printJSON(cmd.OutOrStdout(), res)
	}
	return c.applied(cmd, res, api.Plan{}, what)
}
