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

	"github.com/quorate/quorate/e2e/lab"
)

func main() {
	lab.Child()
	shell := flag.Bool("shell", false, "bring the network up and give a shell in it")
	flag.Parse()
	if lab.Inside() {
		os.Exit(inside(*shell))
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
