// Command quorate runs Linux load balancers as one cluster. It is the agent's two processes,
// control and keeper, and the command line that speaks to them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/config"
)

// version is set by the build.
var version = "devel"

// Exit codes.
const (
	exitOK     = 0
	exitError  = 1
	exitChange = 2 // of plan, --plan and diff: something would change, or does; of import: not all was carried over
)

// exitCode is an error that says nothing more than how to end.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole command line.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(errOut, "quorate:", pki.HideTokens(err.Error())) // one in the wrong place is a secret all the same
	return exitError
}

// cli is what the commands that speak to an agent share.
type cli struct {
	socket  string
	address string // of another director, which is asked in the place of this host's
	cert    string // file of the certificate that it is asked with
	output  string
	other   *api.Client // at address, or nil
	errOut  io.Writer
}

func (c *cli) client() *api.Client {
	asked := c.other
	if asked == nil {
		asked = api.NewClient(c.socket)
	}
	asked.Waiting = func() { fmt.Fprintln(c.errOut, "waiting for the agent ...") }
	return asked
}

// json reports whether a program reads the output.
func (c *cli) json() bool { return c.output == "json" }

// askNobody names the commands that speak to no agent.
var askNobody = []string{"agent", "keeper", "version", "validate", "keepalived", "ldirectord", "inspect", "help", "completion"}

func rootCommand() *cobra.Command {
	c := &cli{errOut: io.Discard}
	root := &cobra.Command{
		Use:           "quorate",
		Short:         "Linux load balancers as one cluster",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(cmd, args[0], "all commands")
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if c.output != "text" && c.output != "json" {
				return fmt.Errorf("output %q: text or json", c.output)
			}
			if slices.Contains(askNobody, cmd.Name()) {
				return nil // whatever the environment says
			}
			c.errOut = cmd.ErrOrStderr()
			var err error
			c.other, err = c.remote(cmd.Context())
			return err
		},
	}
	socket := os.Getenv("QUORATE_SOCKET")
	if socket == "" {
		socket = "/run/quorate/quorate.sock"
	}
	root.PersistentFlags().StringVar(&c.socket, "socket", socket, "unix socket of the agent (QUORATE_SOCKET)")
	root.PersistentFlags().StringVar(&c.address, "address", os.Getenv("QUORATE_ADDRESS"), "director to ask over the network in the place of this host's, port optional (QUORATE_ADDRESS)")
	root.PersistentFlags().StringVar(&c.cert, "cert", os.Getenv("QUORATE_CERT"), "file with the certificate and key to ask it with (QUORATE_CERT)")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "text", "text or json")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: `%s --help` lists the flags", flagError(err), cmd.CommandPath())
	})
	root.AddCommand(
		agentCommand(), keeperCommand(),
		initCommand(c), joinCommand(c), leaveCommand(c), membersCommand(c), removeCommand(c), tokenCommand(c), certCommand(c), keyCommand(c),
		statusCommand(c), validateCommand(c), planCommand(c), applyCommand(c), showCommand(c),
		historyCommand(c), diffCommand(c), rollbackCommand(c), confirmCommand(c), setCommand(c), addCommand(c), upgradeCommand(c),
		importCommand(c), drainCommand(c), enableCommand(c), moveCommand(c), explainCommand(c), eventsCommand(c), snapshotCommand(c), recoverCommand(c), versionCommand(c),
	)
	return root
}

// flagError says what would be right where the value of a flag cannot be read.
func flagError(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	right := map[string]string{
		"duration": "write a time with its unit, as in 60s or 5m", "uint64": "write a number, as in 7", "bool": "write true or false",
	}[bad.GetFlag().Value.Type()]
	if bad.GetFlag().Name == "lifetime" { // which takes days too
		right = "write a time with its unit, as in 12h or 30d"
	}
	if right == "" {
		return err
	}
	return fmt.Errorf("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), right)
}

// arguments demands exactly the arguments that a command's usage line names, all at its end.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(names); {
		case len(args) < n:
			return fmt.Errorf("no %s: write `%s`", names[len(args)], cmd.UseLine())
		case len(args) > n:
			return fmt.Errorf("%q is too much: write `%s`", args[n], cmd.UseLine())
		}
		return nil
	}
}

// commands makes a command that is only there for its subcommands.
func commands(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			known := subcommands(cmd)
			which := known[len(known)-1]
			if len(known) > 1 {
				which = strings.Join(known[:len(known)-1], ", ") + " or " + which
			}
			return fmt.Errorf("`%s` needs a command: %s; `%s --help` says more", cmd.CommandPath(), which, cmd.CommandPath())
		}
		return unknown(cmd, args[0], "its commands")
	}
	cmd.AddCommand(subs...)
	return cmd
}

// subcommands are the names of the commands that a command has.
func subcommands(cmd *cobra.Command) []string {
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return known
}

// unknown says that a command has no such subcommand, and which was meant.
func unknown(cmd *cobra.Command, name, what string) error {
	known := subcommands(cmd)
	of := ""
	if cmd.HasParent() {
		of = fmt.Sprintf(" for %q", cmd.CommandPath())
	}
	hint := ""
	if near := config.Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	return fmt.Errorf("unknown command %q%s%s: `%s --help` lists %s", name, of, hint, cmd.CommandPath(), what)
}

// interrupted replaces the error of an operation that a person has interrupted by what becomes of the operation.
func interrupted(ctx context.Context, err error, fate string) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return errors.New("interrupted: " + fate)
}
