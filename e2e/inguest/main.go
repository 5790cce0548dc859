// Command inguest runs a program in the lab, where a kernel has IPVS, and ends with its exit status. It is
// for test binaries that know nothing of the lab:
//
//	go test -exec "$PWD/bin/inguest" ./director/ipvs
//
// It promises that a program which could not be run there is a failure. It never runs one anywhere else.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/e2e/lab"
)

// exitNotRun is the exit status for a program that did not run.
const exitNotRun = 125

func main() {
	lab.Child() // does not return in the guest's init
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: inguest PROGRAM [ARGUMENT...]")
		os.Exit(exitNotRun)
	}
	program, err := filepath.Abs(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "inguest:", err)
		os.Exit(exitNotRun)
	}
	status, err := lab.Boot(context.Background(), lab.Guest{Program: program, Args: os.Args[2:]})
	if err != nil {
		fmt.Fprintf(os.Stderr, "inguest: run %s: %v\n", program, err)
		os.Exit(exitNotRun)
	}
	os.Exit(status)
}
