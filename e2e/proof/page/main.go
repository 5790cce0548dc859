// Command page writes docs/results/ownership-proofs-DATE.md from a run of the proofs of who owns an address.
//
//	go test -json -v ... | go run ./e2e/proof/page -about 'quorate 1.0' -o FILE
//
// It promises that a number on the page was printed by a test of the run, and that it fails if a test of it did. What
// the tests print goes on to standard output.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	out := flag.String("o", "", "the page's file")
	about := flag.String("about", "", "what was proved")
	flag.Parse()
	run, err := read(os.Stdin, os.Stdout)
	if err == nil {
		err = os.WriteFile(*out, []byte(run.page(*about, time.Now())), 0o644)
	}
	if err == nil {
		err = run.failed()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}
