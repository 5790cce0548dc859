package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// personAt returns the terminal that a person sits at, or nil: a program reads no questions.
func personAt(in io.Reader) *os.File {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// agreed asks a person a question; no answer is no.
func agreed(person *os.File, out io.Writer, question string) bool {
	fmt.Fprint(out, question+" [y/N] ")
	answer, _ := bufio.NewReader(person).ReadString('\n')
	a := strings.ToLower(strings.TrimSpace(answer))
	return a == "y" || a == "yes"
}

// confirm asks a person, and is an error unless the answer is yes. Without a person it is one, too: nothing is done
// unseen.
func confirm(in io.Reader, out io.Writer, question, not string) error {
	if _, ok := in.(*os.File); !ok {
		return fmt.Errorf("%s: nobody to ask; confirm with --yes", not)
	}
	person := personAt(in)
	if person == nil {
		return fmt.Errorf("%s: standard input is no terminal, so nobody can be asked; confirm with --yes", not)
	}
	if !agreed(person, out, question) {
		return errors.New(not)
	}
	return nil
}
