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

// confirm asks a person. Without one it is an error: nothing is applied unseen.
func confirm(in io.Reader, out io.Writer) error {
	if _, ok := in.(*os.File); !ok {
		return errors.New("nobody to ask: confirm with --yes")
	}
	person := personAt(in)
	if person == nil {
		return errors.New("standard input is no terminal, so nobody can be asked: confirm with --yes")
	}
	if !agreed(person, out, "apply this?") {
		return errors.New("not applied")
	}
	return nil
}

// confirmIfAsked asks a person, if there is one. A program has decided already when it runs a command that
// is for bad times.
func confirmIfAsked(in io.Reader, out io.Writer, question, not string) error {
	if person := personAt(in); person != nil && !agreed(person, out, question) {
		return errors.New(not)
	}
	return nil
}
