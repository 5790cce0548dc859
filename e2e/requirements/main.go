// Command requirements reads what `go test -json` writes and says which requirements of VRRP the tests
// show: a table in Markdown with a line for each, its tests and what came of them.
//
//	go test -json ./director/... | requirements -list requirements.txt
//
// The list has the numbers, how much each matters and a sentence. A test shows a requirement by having its
// number in its name, as V45 in TestV45ASilentOwnerIsReplaced or in a subtest "V45 to the nanosecond". A
// test with subtests is counted as its subtests.
//
// It promises that a table which says less than it should cannot look well: the exit status is 1 if a
// requirement that is a must, or that routers of others need, has no test that passed, if one for hardening
// has neither a test nor a reason, if a test with a number failed, began and did not end, or has a number
// that is not in the list, and if a package did not build. It never runs a test itself.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	ok, err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "requirements:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run is the program; ok is whether the tests show what they must. What they do not is said on complain.
func run(args []string, in io.Reader, out, complain io.Writer) (ok bool, err error) {
	flags := flag.NewFlagSet("requirements", flag.ContinueOnError)
	listFile := flags.String("list", "requirements.txt", "file with the requirements")
	outFile := flags.String("o", "", "file to write the table to; none is standard output")
	about := flags.String("about", "", "what was tested, and where")
	date := flags.String("date", time.Now().UTC().Format(time.DateOnly), "date of the run")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	text, err := os.ReadFile(*listFile)
	if err != nil {
		return false, err
	}
	list, err := parseList(string(text))
	if err != nil {
		return false, fmt.Errorf("%s: %w", *listFile, err)
	}
	tests, err := read(in)
	if err != nil {
		return false, err
	}
	rows, problems := hold(list, tests)
	page := markdown(rows, *date, *about)
	if *outFile == "" {
		_, err = io.WriteString(out, page)
	} else {
		err = os.WriteFile(*outFile, []byte(page), 0o644)
	}
	if err != nil {
		return false, err
	}
	for _, p := range problems {
		fmt.Fprintln(complain, p)
	}
	return len(problems) == 0, nil
}
