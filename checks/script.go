package checks

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

// script runs a program whose exit status is the result.
type script struct {
	name    string
	program *program.Program
}

func newScript(c fsm.Check, target netip.AddrPort, opts Options) (attempt, error) {
	owner, err := program.UserFor(c.User)
	if err != nil {
		return nil, err
	}
	p, err := program.New(program.Command{
		Argv: c.Command,
		Env: []string{
			"QUORATE_SERVICE=" + opts.Service,
			"QUORATE_SERVER_ADDRESS=" + target.Addr().String(),
			"QUORATE_SERVER_PORT=" + strconv.Itoa(int(target.Port())),
		},
		User: owner,
	})
	if err != nil {
		return nil, err
	}
	return script{name: c.Command[0], program: p}.run, nil
}

// CheckScript says why the program at name cannot be run as a check on this host, naming the
// component of its path, or the interpreter in its first line, that is at fault; nil if it can be.
// For an agent that is root it also refuses a program that others could change.
func CheckScript(name string) error {
	owner, err := program.UserFor("")
	if err == nil {
		err = program.Check(name, owner)
	}
	if err != nil {
		return fmt.Errorf("script %s: %w", name, err)
	}
	return nil
}

// run is one attempt.
func (s script) run(ctx context.Context) error {
	out, err := s.program.Run(ctx)
	switch {
	case err == nil && out.OK():
		return nil
	case err == nil:
		return failure(out.Words())
	case ctx.Err() != nil && err == ctx.Err():
		return await("exit", err)
	case isLocal(err):
		return err
	default:
		return failure(program.Printable(fmt.Sprintf("script %s: %v", s.name, err), maxCause))
	}
}
