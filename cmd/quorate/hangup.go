package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// sitThroughHangups keeps a process from ending when it gets SIGHUP, which would be without a hand-over: a terminal that is
// closed sends it, and so do people whose other programs read their files again by it. It says what does that here. What is
// returned ends it.
func sitThroughHangups(log hclog.Logger) (end func()) {
	// Not ignored, but caught: what is ignored would be so in checks and hooks as well.
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			log.Warn("SIGHUP does nothing: a changed agent file needs a restart; the cluster's configuration is applied by `quorate apply`")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
