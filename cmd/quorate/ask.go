package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// confirm asks a person a question, and is an error unless the answer is yes. Without a person it is one, too: nothing is done
// unseen. A person who interrupts has not said yes.
func confirm(ctx context.Context, in io.Reader, out io.Writer, question, not string) error {
	f, ok := in.(*os.File)
	if !ok {
		return fmt.Errorf("%s: nobody to ask; confirm with --yes", not)
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return fmt.Errorf("%s: standard input is no terminal, so nobody can be asked; confirm with --yes", not)
	}
	fmt.Fprint(out, question+" [y/N] ")
	answer, _ := unlessEnded(ctx, func() ([]byte, error) { return bufio.NewReader(f).ReadBytes('\n') }) // none is no
	if ctx.Err() != nil {
		fmt.Fprintln(out) // the question has no answer behind it
	}
	switch strings.ToLower(strings.TrimSpace(string(answer))) {
	case "y", "yes":
		return nil
	}
	return errors.New(not)
}
