// Command inguest runs a program in the lab, where a kernel has IPVS, and ends with its exit status. It is
// for test binaries that know nothing of the lab, beside others that do, and boot a guest by themselves:
//
//	go test -exec "$PWD/bin/inguest -of director/ipvs" ./director/ipvs ./e2e
//
// It promises that a program of the named folder, which is the working directory of its tests, is a failure if it could
// not be run there, and is run nowhere else; and that it becomes any other program at once.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/quorate/quorate/e2e/lab"
)

// exitNotRun is the exit status for a program that did not run.
const exitNotRun = 125

func main() {
	lab.Child() // does not return in the guest's init
	if len(os.Args) < 4 || os.Args[1] != "-of" {
		fmt.Fprintln(os.Stderr, "usage: inguest -of FOLDER PROGRAM [ARGUMENT...]")
		os.Exit(exitNotRun)
	}
	status, err := run(os.Args[2], os.Args[3], os.Args[4:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "inguest: run %s: %v\n", os.Args[3], err)
		status = exitNotRun
	}
	os.Exit(status)
}

// run runs a program in a guest, if the working directory is that folder. Else it returns with an error alone.
func run(folder, program string, args []string) (status int, err error) {
	if program, err = filepath.Abs(program); err != nil {
		return 0, err
	}
	here, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	if !strings.HasSuffix(here, "/"+folder) {
		return 0, syscall.Exec(program, append([]string{program}, args...), os.Environ())
	}
	return lab.Boot(context.Background(), lab.Guest{Program: program, Args: args})
}
