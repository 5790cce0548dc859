package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/config/keepalived"
	"github.com/quorate/quorate/config/ldirectord"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

const importLong = `Print the cluster file that comes of another program's configuration on standard output, and on standard error what became of
every construct in it, with file and line: carried over, carried over with a difference, not carried over. Nothing is changed,
and neither an agent nor root is needed.

Exit status: 0 if all was carried over, with a difference or without; 2 if something was not; 1 if there is no cluster file,
since a file cannot be read, or holds nothing that comes to a router or a service. FILE is a file or a pipe, and - standard input.`

func importCommand(c *cli) *cobra.Command {
	cmd := commands("import", "Turn another program's configuration into a cluster file", importKeepalivedCommand(c), importLdirectordCommand(c))
	cmd.Long = importLong
	return cmd
}

func importKeepalivedCommand(c *cli) *cobra.Command {
	var nodes []string
	cmd := &cobra.Command{
		Use:   "keepalived FILE...",
		Short: "Import keepalived.conf; of a pair, name the files of both hosts",
		Long: importLong + `

With the files of all hosts that serve together, quorate import keepalived FILE FILE, it finds what differs between them and says
which is which; who has the higher priority becomes a score. A director is called as --node says, else by router_id, else as its
file. A single file with lines for several hosts (@ID) stands for all of them.`,
		Args: clusterFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(nodes) > len(args) && len(args) > 1 {
				return fmt.Errorf("%d names for %d files: write --node once for each", len(nodes), len(args))
			}
			var inputs []keepalived.Input
			for i := range max(len(args), len(nodes)) {
				in := keepalived.Input{Path: args[min(i, len(args)-1)]}
				if i < len(nodes) {
					in.Node = nodes[i]
				}
				inputs = append(inputs, in)
			}
			r, err := keepalived.Import(keepalived.Files{Read: readOnce(cmd.Context(), cmd.InOrStdin()), Glob: filepath.Glob, Abs: filepath.Abs}, inputs)
			if err == nil {
				err = cmd.Context().Err() // an include that was not read is none that cannot be
			}
			if err != nil {
				return err
			}
			return c.imported(cmd, outcome{args, r.File, r.Config, r.Notes, r.Hosts, r.Differences})
		},
	}
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "name of the director that a file is of, and the ID whose @ID lines count; once for each file, or several for one")
	return cmd
}

func importLdirectordCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "ldirectord FILE",
		Short: "Import ldirectord.cf: services, servers and checks",
		Long:  importLong,
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := readOnce(cmd.Context(), cmd.InOrStdin())(args[0])
			if err != nil {
				return err
			}
			r := ldirectord.Import(args[0], src)
			return c.imported(cmd, outcome{args, r.File, r.Config, r.Notes, nil, nil})
		},
	}
}

// readOnce returns a function that reads regular files and pipes, each once: what was in a pipe is gone when it was read, and an
// import reads a file once for each host that it has lines for. What is called "-" is read from in.
func readOnce(ctx context.Context, in io.Reader) func(name string) ([]byte, error) {
	type outcome struct {
		src []byte
		err error
	}
	known := make(map[string]outcome)
	return func(name string) ([]byte, error) {
		got, ok := known[name]
		if !ok {
			got.src, got.err = readSource(ctx, name, in)
			known[name] = got
		}
		return got.src, got.err
	}
}

// readSource reads one file.
func readSource(ctx context.Context, name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return readStdin(ctx, in)
	}
	if info, err := os.Stat(name); err == nil && name != os.DevNull && !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("%s is neither a file nor a pipe", name)
	}
	return readFile(ctx, name)
}

// outcome is what came of an import.
type outcome struct {
	from   []string // files
	file   []byte
	config fsm.Config // the same as a model
	notes  []imported.Note
	hosts  []string
	differ []keepalived.Difference
}

// nothing reports whether it would be a cluster that does nothing. Whoever applied that would take everything away.
func (o outcome) nothing() bool {
	return len(o.config.Routers)+len(o.config.SyncGroups)+o.config.Services.Len() == 0
}

// imported prints what came of an import.
func (c *cli) imported(cmd *cobra.Command, o outcome) error {
	if o.nothing() {
		o.file = nil
	}
	var err error
	if c.json() {
		err = printJSON(cmd.OutOrStdout(), map[string]any{
			"cluster_file": string(o.file), "hosts": append([]string{}, o.hosts...), "notes": append([]imported.Note{}, o.notes...),
			"differences": append([]keepalived.Difference{}, o.differ...),
		})
	} else if _, err = cmd.OutOrStdout().Write(o.file); err == nil {
		err = printReport(cmd.ErrOrStderr(), o.notes, o.differ)
	}
	lost := func(n imported.Note) bool { return n.Fate == imported.Dropped }
	if err == nil && o.nothing() {
		return fmt.Errorf("%s: nothing in it comes to a router or a service, so there is no cluster file", strings.Join(o.from, ", "))
	}
	if err == nil && slices.ContainsFunc(o.notes, lost) {
		return exitCode(exitChange)
	}
	return err
}

// longestNote bounds a line of the report: what is no configuration at all may be a single word.
const longestNote = 2000 // bytes

// printReport prints what became of each construct, what was not carried over first. Words of
// the files are in it, and a terminal acts on none of them.
func printReport(w io.Writer, notes []imported.Note, differ []keepalived.Difference) error {
	count := make(map[imported.Fate]int)
	for _, n := range notes {
		count[n.Fate] += n.Count
		if _, err := fmt.Fprintln(w, program.Printable(n.String(), longestNote)); err != nil {
			return err
		}
	}
	for _, d := range differ {
		if _, err := fmt.Fprintln(w, program.Printable(d.String(), longestNote)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d not carried over, %d with a difference, %d as they are\n",
		count[imported.Dropped], count[imported.Differs], count[imported.Carried])
	return err
}
