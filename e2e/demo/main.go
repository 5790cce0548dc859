// Command demo plays the first users' case on a real kernel with real IPVS, as a story that a person
// can follow, and fails if any scene does not hold. With --shell it brings the same network up and
// gives a shell in it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/e2e/lab"
)

func main() {
	lab.Child()
	shell := flag.Bool("shell", false, "bring the network up and give a shell in it")
	flag.Parse()
	if lab.Inside() {
		os.Exit(inside(*shell))
	}
	if *shell && !isTerminal(os.Stdin) {
		fmt.Fprintln(os.Stderr, "demo: a shell needs a terminal, and standard input is none: run `make lab` at one; `make demo` plays the story without")
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	guest := lab.Guest{Program: "/proc/self/exe", Args: os.Args[1:], Interactive: *shell, NeedsBinary: true}
	if !*shell {
		guest.Timeout = 5 * time.Minute
	}
	status, err := lab.Boot(ctx, guest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(max(status, 1))
	}
	os.Exit(status)
}

// isTerminal reports whether a person sits at a file. A shell without one would end at once, with its session.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// inside runs where the network is.
func inside(shell bool) (status int) {
	s := newStage(os.Stdout)
	return s.play(func() {
		if shell {
			lab.Shell(s)
			return
		}
		tell(s)
	})
}
