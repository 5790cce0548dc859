package lab

import (
	"context"
	"fmt"
	"syscall"
)

// A Process is a program that the lab started on a host.
type Process struct {
	Name string
	Pid  int

	done chan struct{}
	err  error // set before done is closed
}

// Signal sends a signal. A process that has ended takes none.
func (p *Process) Signal(sig syscall.Signal) error {
	if !p.Alive() {
		return fmt.Errorf("%s: has ended", p.Name)
	}
	return syscall.Kill(p.Pid, sig)
}

// Kill ends the process at once, and waits until it is gone. What it started lives on.
func (p *Process) Kill() {
	if p.Signal(syscall.SIGKILL) == nil {
		<-p.done
	}
}

// Freeze stops the process, as a hypervisor that takes its processor away.
func (p *Process) Freeze() error { return p.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.Signal(syscall.SIGCONT) }

// Alive tells whether the process has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait waits for the end and returns what [os/exec.Cmd.Wait] returned.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", p.Name, context.Cause(ctx))
	}
}
