// Command tally reads what `go test -json` writes, in the places where the project's tests run, and says
// what came of it: progress while they run, the whole output of every test that failed, and at the end
// how many passed, failed and were skipped in each place, and why.
//
//	{ echo "place host";  go test -json ./...; echo "exit $?"
//	  echo "place guest"; go test -json ./e2e; echo "exit $?"; } | tally -want host,guest
//
// It promises that a run which did not do what it should cannot look well. A test that began and did not
// end failed. So did a skip that the list of skips does not name, unless the same test passed in the
// guest; a guest test that is on the list of guest tests and did not pass; one that ran and is not on
// it; a command that failed without a failed test; and a place that is wanted and never came. The exit
// status is 1 then. The last line is always "N passed, N failed, N skipped".
//
// A test with subtests is counted as its subtests. Tally never runs a test itself.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	ok, err := run(os.Args[1:], os.Stdin, os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run is the program; ok is whether all is well with the tests.
func run(args []string, in io.Reader, out io.Writer) (ok bool, err error) {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	want := flags.String("want", "", "places that must have run, as host,guest")
	guestFile := flags.String("guest-tests", "", "file with the tests that must run in the guest")
	skipsFile := flags.String("skips", "", "file with the skips that are allowed on the host, and why")
	update := flags.Bool("update", false, "write the file of guest tests from this run, if it passed")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	rules := rules{want: strings.FieldsFunc(*want, func(r rune) bool { return r == ',' })}
	if rules.guest, err = readList(*guestFile); err != nil {
		return false, err
	}
	if rules.skips, err = readList(*skipsFile); err != nil {
		return false, err
	}
	if *update {
		rules.guest = nil // what ran is what the list will be
	}
	t := newTally(out)
	if err := t.read(in); err != nil {
		return false, err
	}
	ok = t.report(rules)
	if *update && ok {
		return ok, writeGuestTests(*guestFile, t.place(guest))
	}
	return ok, nil
}
