package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/private"
)

// clusterFiles demands cluster files, or directories of them, at the end of a command's usage line.
func clusterFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no FILE: write `%s`", cmd.UseLine())
	}
	return nil
}

// readCluster reads the files of a configuration, and prints every problem in them; warnings are no error. "-" stands for in.
func readCluster(ctx context.Context, paths []string, in io.Reader, errOut io.Writer) (fsm.Config, config.Problems, error) {
	files, err := readFiles(ctx, paths, in)
	if err != nil {
		return fsm.Config{}, nil, err
	}
	cfg, problems := config.ParseFiles(files)
	fmt.Fprint(errOut, problems)
	if problems.Err() != nil {
		return cfg, problems, exitCode(exitError)
	}
	return cfg, problems, nil
}

// readFiles reads files, and of directories all that end in .hcl or .json, in the order of their names.
func readFiles(ctx context.Context, paths []string, in io.Reader) ([]config.File, error) {
	var names []string
	var files []config.File
	var unread []error // each is told
	for _, path := range paths {
		if path == "-" {
			if len(files) == 0 {
				src, err := readStdin(ctx, in)
				if err != nil {
					return nil, fmt.Errorf("cluster file: %w", err)
				}
				files = append(files, config.File{Name: nameOf(src), Src: src})
			}
			continue
		}
		found, err := filesOf(path)
		names, unread = append(names, found...), append(unread, err)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		src, err := readFile(ctx, name)
		if err != nil {
			unread = append(unread, fmt.Errorf("cluster file: %w", err))
		}
		files = append(files, config.File{Name: name, Src: src})
	}
	return files, errors.Join(unread...)
}

// maxFile bounds what is read of a file: a device may never end.
const maxFile = 64 << 20 // bytes

// readFile is [os.ReadFile] until ctx ends, as a named pipe may never have anything, and within a bound.
func readFile(ctx context.Context, name string) ([]byte, error) {
	src, err := unlessEnded(ctx, func() ([]byte, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f, name)
	})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("read %s: %w", name, err)
	}
	return src, err
}

// readStdin reads standard input.
func readStdin(ctx context.Context, in io.Reader) ([]byte, error) {
	src, err := unlessEnded(ctx, func() ([]byte, error) { return readAll(in, "it") })
	if err != nil {
		err = fmt.Errorf("standard input: %w", err)
	}
	return src, err
}

// readAll is [io.ReadAll] within a bound.
func readAll(from io.Reader, name string) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err == nil && len(src) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MiB", name, maxFile>>20)
	}
	return src, err
}

// unlessEnded returns what read returns, or the error of ctx if that ends first: a read from a pipe or a terminal is not
// interrupted by a signal. It goes on then until the process ends, which is soon.
func unlessEnded(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type outcome struct {
		src []byte
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		src, err := read()
		done <- outcome{src, err}
	}()
	select {
	case got := <-done:
		return got.src, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// nameOf returns the file name of standard input, for its problems. It ends in .json for what begins with a brace, as no HCL does.
func nameOf(src []byte) string {
	if bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte("{")) {
		return "stdin.json"
	}
	return "stdin"
}

// filesOf returns a file itself, or the cluster files in a directory, but none that an editor hides.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			cause.Op = "open"
		}
		return nil, fmt.Errorf("cluster file: %w", err)
	}
	if !info.IsDir() {
		return []string{filepath.Clean(path)}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("cluster files: %w", err)
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && (ext == ".hcl" || ext == ".json") {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 { // an empty configuration would take everything away
		return nil, fmt.Errorf("cluster files: no *.hcl and no *.json in %s", path)
	}
	return names, nil
}

// hasKey reports whether a file holds a private key. About one that was named by mistake, and has none, nothing is said.
func hasKey(text []byte) bool { return bytes.Contains(text, []byte("PRIVATE KEY-----")) }

// tellOpen warns that other users can read or change a file with a secret in it, and what that lets them do.
func tellOpen(errOut io.Writer, path, lets string) {
	if open := private.File(path); open != "" {
		fmt.Fprintf(errOut, "warning: %s, who can %s\n", open, lets)
	}
}

// fileFor returns why a file could not be written, as far as that can be known before there is anything to write.
func fileFor(path string) error {
	if path == "-" { // standard output elsewhere; keys are to be written, which a terminal would show
		return errors.New("write -: name a file, as ./- is, should it be called so")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("write %s: %w: name the file in it", path, syscall.EISDIR)
	}
	return nil
}

// newFile creates the file that is to be written later, so that nobody else does meanwhile. With force, or without a path, it
// creates none. Drop removes the file again if nothing was written into it.
func newFile(path string, force bool) (drop func(), err error) {
	if err := fileFor(path); err != nil || path == "" || force {
		return func() {}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("write %s: %w: name another, or use --force", path, syscall.EEXIST)
	}
	if err != nil {
		return nil, err
	}
	drop = func() {
		if info, err := os.Lstat(path); err == nil && info.Size() == 0 { // else it was, though its folder could not be synced
			_ = os.Remove(path)
		}
	}
	return drop, f.Close()
}
