package hook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/program"
)

// diskGrace is how long a hook waits for the disk: on the new owner of an address it is more urgent than
// that nothing is done twice.
const diskGrace = time.Second

// run is one run of a hook, until stay ends, which a machine may have done by a [Kill], or ctx does.
func (r *Runner) run(ctx, stay context.Context, m *member, run Run, written <-chan struct{}) {
	report := Report{
		Group: run.Group, Hook: run.Hook(), State: run.State, Epoch: run.Epoch, Attempt: run.Attempt,
		Exit: -1, Problem: "not begun: the state is another",
	}
	patience := time.NewTimer(diskGrace)
	defer patience.Stop()
	select {
	case <-written:
	case <-patience.C:
	case <-stay.Done():
	}
	select {
	case r.turn <- struct{}{}:
		begun := time.Now()
		timed, cancel := context.WithTimeout(stay, run.timeout())
		out, gone, err := r.execute(timed, run)
		cancel()
		<-r.turn
		select { // never two at once, even where the kernel cannot kill the first
		case <-gone:
		case <-ctx.Done():
		}
		report.Took = time.Since(begun)
		report.fill(run, out, err, ctx.Err() != nil)
	case <-stay.Done():
	}
	r.ended(m, run, report)
}

func (r *Report) fill(run Run, out program.Outcome, err error, stopping bool) {
	r.OK = err == nil && out.OK()
	r.Exit, r.Signal, r.Output, r.Problem = out.Exit, out.Signal, out.Stderr, ""
	if r.Output == "" {
		r.Output = out.Stdout
	}
	switch {
	case r.OK:
	case err == nil:
		r.Problem = out.Words()
	case errors.Is(err, context.DeadlineExceeded):
		r.Problem = fmt.Sprintf("no exit in %v", run.timeout())
	case errors.Is(err, context.Canceled) && stopping:
		r.Problem = "killed: the agent stops"
	case errors.Is(err, context.Canceled):
		r.Problem = "killed: the state is another"
	default:
		r.Problem = fmt.Sprintf("hook %s: %v", run.Hook(), err)
	}
}

// program runs the program of a hook.
func (r *Runner) program(ctx context.Context, run Run) (program.Outcome, <-chan struct{}, error) {
	ended := make(chan struct{})
	close(ended)
	lost := program.Outcome{Exit: -1}
	if err := run.task.hook.Validate(); err != nil {
		return lost, ended, err
	}
	user, err := run.task.hook.user()
	if err != nil {
		return lost, ended, err
	}
	p, err := program.New(program.Command{
		Argv: run.task.hook.Command, Env: run.env(r.cfg.Director), User: user, Tail: true,
	})
	if err != nil {
		return lost, ended, err
	}
	out, err := p.Run(ctx)
	return out, p.Gone(), err
}

// ended tells a machine how its run ended, and leaves the report to be told.
func (r *Runner) ended(m *member, run Run, report Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	report.Stale = !m.wanted(run)
	r.step(m, Ended{OK: report.OK})
	if !report.OK && !report.Stale {
		report.Again = m.again(run)
		r.cfg.Log.Warn("a hook failed", "hook", report.Hook, "group", run.Group, "state", run.State, "epoch", run.Epoch, "attempt", run.Attempt, "problem", report.Problem, "again", report.Again)
	}
	r.reports = append(r.reports, report)
	poke(r.told)
}

// report tells of runs until ctx ends, and then of what is left.
func (r *Runner) report(ctx context.Context) {
	for {
		over := ctx.Err() != nil
		r.mu.Lock()
		reports := r.reports
		r.reports = nil
		r.mu.Unlock()
		for _, one := range reports {
			if r.cfg.Report != nil {
				r.cfg.Report(one)
			}
		}
		if over {
			return
		}
		select {
		case <-ctx.Done():
		case <-r.told:
		}
	}
}
