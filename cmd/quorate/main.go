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
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api"
)

// version is set by the build.
var version = "devel"

// Exit codes.
const (
	exitOK     = 0
	exitError  = 1
	exitChange = 2 // of plan: there is something to apply
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
	fmt.Fprintln(errOut, "quorate:", err)
	return exitError
}

// cli is what the commands that speak to an agent share.
type cli struct {
	socket string
	output string
}

func (c *cli) client() *api.Client { return api.NewClient(c.socket) }

// json reports whether a program reads the output.
func (c *cli) json() bool { return c.output == "json" }

func rootCommand() *cobra.Command {
	c := &cli{}
	root := &cobra.Command{
		Use:           "quorate",
		Short:         "Linux load balancers as one cluster",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.output != "text" && c.output != "json" {
				return fmt.Errorf("output %q: text or json", c.output)
			}
			return nil
		},
	}
	socket := os.Getenv("QUORATE_SOCKET")
	if socket == "" {
		socket = "/run/quorate/quorate.sock"
	}
	root.PersistentFlags().StringVar(&c.socket, "socket", socket, "unix socket of the agent (QUORATE_SOCKET)")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "text", "text or json")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		agentCommand(), keeperCommand(),
		initCommand(c), joinCommand(c), leaveCommand(c), membersCommand(c), removeCommand(c), tokenCommand(c),
		statusCommand(c), validateCommand(c), planCommand(c), applyCommand(c), showCommand(c),
		drainCommand(c), enableCommand(c), eventsCommand(c), versionCommand(c),
	)
	return root
}
