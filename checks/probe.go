// Package checks says what this director thinks of each real server, and what the directors
// together think: probers make one attempt each, trackers turn results into an observation by rise
// and fall, the runner keeps the schedule, and pure functions turn the observations of all directors
// into verdicts, and verdicts into the pool that IPVS shall have.
//
// It promises that every attempt ends by its one deadline, whatever the server or the script does;
// that an attempt reads a bounded number of bytes; and that a late schedule skips attempts and never
// bunches them. A check that cannot be carried out fails and says why; it is never silently a pass.
//
// It never writes to the kernel, never changes replicated state, never runs a shell, and never
// follows a redirect or a proxy.
package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Result is what one attempt found.
type Result struct {
	OK    bool
	Cause string        // why it failed: short, exact, and worded alike each time; empty for a pass
	Took  time.Duration // from the start of the attempt to its end

	// Local says that the attempt failed for want of something on this host, such as file
	// descriptors. It says nothing of the server and does not count.
	Local bool
}

// Prober makes attempts of one check on one real server. Probe may be called again when it has
// returned; it ends by the check's timeout, or when ctx ends, whichever comes first.
type Prober interface {
	Probe(ctx context.Context) Result
}

// Options is what a prober needs to know beside its check.
type Options struct {
	Service string // scripts are told it as QUORATE_SERVICE
	Helo    string // the name said in HELO if the check has no host; empty: this host's name
}

// NewProber returns the prober of check c for the real server at target. The check's port, if it has
// one, takes the place of the target's.
func NewProber(c fsm.Check, target netip.AddrPort, opts Options) (Prober, error) {
	c = withDefaults(c)
	port := target.Port()
	if c.Port != 0 {
		port = c.Port
	}
	target = netip.AddrPortFrom(target.Addr().Unmap(), port)
	if !target.Addr().IsValid() {
		return nil, fmt.Errorf("%s check: no address to probe", c.Kind)
	}
	if port == 0 && c.Kind != fsm.CheckScript {
		return nil, fmt.Errorf("%s check of %s: port 0: the check needs a port", c.Kind, target.Addr())
	}
	try, err := newAttempt(c, target, opts)
	if err != nil {
		return nil, fmt.Errorf("%s check of %s: %w", c.Kind, target, err)
	}
	return prober{timeout: c.Timeout, try: try}, nil
}

// An attempt runs once, obeys its context, and returns nil for a pass. The error's cause is what
// [cause] makes of it.
type attempt func(ctx context.Context) error

func newAttempt(c fsm.Check, target netip.AddrPort, opts Options) (attempt, error) {
	switch c.Kind {
	case fsm.CheckTCP:
		return tcpAttempt(target), nil
	case fsm.CheckHTTP, fsm.CheckHTTPS:
		return newHTTP(c, target)
	case fsm.CheckSMTP:
		return newSMTP(c, target, opts)
	case fsm.CheckScript:
		return newScript(c, target, opts)
	default:
		return nil, fmt.Errorf("unknown kind %q", c.Kind)
	}
}

// prober puts the one deadline around an attempt, and words its failure.
type prober struct {
	timeout time.Duration
	try     attempt
}

// Probe implements [Prober].
func (p prober) Probe(ctx context.Context) Result {
	start := time.Now()
	timed, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	err := p.try(timed)
	r := Result{OK: err == nil, Took: time.Since(start)}
	if err == nil {
		return r
	}
	r.Local = isLocal(err)
	r.Cause = cause(err, p.timeout)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		r.Cause, r.Local = "cancelled", true
	}
	return r
}

// withDefaults fills what a check leaves open, so that no check can spin, wait for ever or never
// decide.
func withDefaults(c fsm.Check) fsm.Check {
	if c.Interval <= 0 {
		c.Interval = 2 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.Rise <= 0 {
		c.Rise = 2
	}
	if c.Fall <= 0 {
		c.Fall = 2
	}
	return c
}
