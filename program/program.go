package program

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	killGrace    = 100 * time.Millisecond // for the kernel to end a killed program
	niceness     = 5                      // so that programs do not starve the agent
	maxMemory    = 1 << 30                // bytes of writable memory per process
	maxProcesses = 2048                   // of a user for whom no other limit is set, and who may have more to do

	ownersProcesses = 256

	searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// ErrBusy means that an earlier run of the program was killed, and the kernel has not ended it yet.
var ErrBusy = errors.New("an earlier run cannot be killed")

// Command says what is run, and how.
type Command struct {
	Argv      []string // the program by its absolute path, and its arguments
	Env       []string // KEY=value; a PATH comes with it, and nothing of the agent's own
	User      User
	Processes uint64 // that the user may have, all told; beyond it fork fails; 0: 2048, of [Owner] 256. It does not bind root
	Tail      bool   // keep the end of what is written, not the beginning
}

// Program is a command that is run again and again, once at a time.
type Program struct {
	cmd Command

	mu   sync.Mutex
	last *group // of the last run, nil before the first
}

// New returns the program of a command.
func New(c Command) (*Program, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("command: empty")
	}
	c.Env = append([]string{searchPath}, c.Env...)
	switch {
	case c.Processes != 0:
	case c.User.Name == Owner:
		c.Processes = ownersProcesses
	default:
		c.Processes = maxProcesses
	}
	return &Program{cmd: c}, nil
}

// Outcome is how a run ended.
type Outcome struct {
	Exit           int            // exit status; -1 if there is none
	Signal         syscall.Signal // that ended it, or 0
	Stdout, Stderr string         // 4 KiB of each
}

// OK reports whether the program ended with exit status 0.
func (o Outcome) OK() bool { return o.Exit == 0 && o.Signal == 0 }

// Words says in one line how the run ended, with the first line that the program wrote.
func (o Outcome) Words() string {
	words := "exit status " + strconv.Itoa(o.Exit)
	switch {
	case o.Signal != 0:
		words = "killed by signal " + strconv.Itoa(int(o.Signal)) + " (" + o.Signal.String() + ")"
	case o.Exit < 0:
		return "its exit status was lost"
	}
	said := firstLine(o.Stderr)
	if said == "" {
		said = firstLine(o.Stdout)
	}
	if said == "" {
		return words
	}
	return words + ": " + said
}

// Run runs the program until it ends, or kills it when ctx does. The error, if there is one, is why the
// program did not run (what [Check] says, [ErrBusy], or the kernel's), or that of ctx; then the outcome
// has the outputs and no more.
func (p *Program) Run(ctx context.Context) (Outcome, error) {
	lost := Outcome{Exit: -1}
	if err := Check(p.cmd.Argv[0], p.cmd.User); err != nil {
		return lost, err
	}
	out, errOut, err := newOutputs(p.cmd.Tail)
	if err != nil {
		return lost, err
	}
	defer out.close()
	defer errOut.close()
	g, err := p.begin()
	if err != nil {
		out.w.Close()
		errOut.w.Close()
		return lost, err
	}
	go g.run(&p.cmd, out.w, errOut.w) // waited for below, unless the kernel cannot kill the process
	if err := <-g.started; err != nil {
		<-g.done
		return lost, err
	}
	select {
	case <-g.done:
		o := g.outcome()
		o.Stderr, o.Stdout = errOut.text(), out.text()
		return o, nil
	case <-ctx.Done():
		g.kill()
	}
	select {
	case <-g.done:
	case <-time.After(killGrace):
	}
	lost.Stderr, lost.Stdout = errOut.text(), out.text()
	return lost, ctx.Err()
}

func (p *Program) begin() (*group, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil {
		select {
		case <-p.last.done:
		default:
			return nil, ErrBusy
		}
	}
	p.last = &group{done: make(chan struct{}), started: make(chan error, 1)}
	return p.last, nil
}

// Gone returns a channel that is closed once the process of the last run has ended, which may be later
// than that run where the kernel could not kill it.
func (p *Program) Gone() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil {
		return p.last.done
	}
	ended := make(chan struct{})
	close(ended)
	return ended
}
