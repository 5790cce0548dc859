package track

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/program"
)

const maxReason = 200 // bytes

// scriptLooker runs a script at each look.
type scriptLooker struct {
	spec    Spec
	program *program.Program // nil until there is a user to run it as
	log     hclog.Logger
	local   bool // the last run failed for want of something on this host
}

func (l *scriptLooker) look(ctx context.Context) (Observation, bool) {
	if err := l.prepare(); err != nil {
		return Observation{Reason: err.Error()}, true
	}
	timed, cancel := context.WithTimeout(ctx, l.spec.Timeout)
	defer cancel()
	out, err := l.program.Run(timed)
	if local := isLocal(err); local != l.local {
		l.local = local
		l.log.Warn("this host has not the means to run a script", "track", l.spec.Name, "lacking", local, "err", err)
	}
	switch {
	case ctx.Err() != nil || l.local:
		return Observation{}, false
	case err == nil && out.OK():
		return Observation{OK: true}, true
	case err == nil:
		return Observation{Reason: out.Words()}, true
	case timed.Err() != nil && err == timed.Err():
		return Observation{Reason: fmt.Sprintf("no exit in %v", l.spec.Timeout)}, true
	}
	return Observation{Reason: program.Printable(fmt.Sprintf("script %s: %v", l.spec.Command[0], err), maxReason)}, true
}

func (l *scriptLooker) prepare() error {
	if l.program != nil {
		return nil
	}
	user, err := program.UserFor(l.spec.User)
	if err != nil {
		return err
	}
	l.program, err = program.New(program.Command{
		Argv: l.spec.Command, User: user, Env: []string{"QUORATE_TRACK=" + l.spec.Name},
	})
	return err
}

// CheckScript says why a script cannot be run as a track on this host by that user, empty for the
// default, naming the component of its path that is at fault; nil if it can be.
func CheckScript(name, user string) error {
	u, err := program.UserFor(user)
	if err == nil {
		err = program.Check(name, u)
	}
	if err != nil {
		return fmt.Errorf("script %s: %w", name, err)
	}
	return nil
}
