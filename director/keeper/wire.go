package keeper

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// The socket speaks JSON, one value a line. A request has an id, which its reply repeats; a status
// without an id is sent when something has changed.
const (
	opSet     = "set"
	opClaim   = "claim"
	opYield   = "yield"
	opResign  = "resign"
	opConcede = "concede"
	opUnclaim = "unclaim"
	opRenew   = "renew"
	opHold    = "hold"
	opStatus  = "status"
	opStop    = "stop"
)

type request struct {
	ID       uint64        `json:"id"`
	Op       string        `json:"op"`
	Order    *Order        `json:"order,omitempty"`
	Group    string        `json:"group,omitempty"`
	Priority uint8         `json:"priority,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
	Release  bool          `json:"release,omitempty"`
	// Until is when the request is over, by CLOCK_MONOTONIC, which all processes of a machine share; 0 for never. One
	// that waited in the socket of a frozen keeper is not carried out long after it was given up.
	Until time.Duration `json:"until,omitempty"`
}

// errLate says that a request is over.
var errLate = errors.New("it came too late: who asked has given up by now")

// over returns an error if the request is over.
func (q request) over() error {
	if q.Until != 0 && uptime() > q.Until {
		return errLate
	}
	return nil
}

// until returns when a request is over that is given up when ctx ends, or within a while if that is not 0.
func until(ctx context.Context, within time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok && (within == 0 || time.Until(end) < within) {
		within = max(time.Until(end), 1)
	}
	if within == 0 {
		return 0
	}
	return uptime() + within
}

// uptime is the time that does not depend on what time it is.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // every kernel has it
	}
	return time.Duration(ts.Nano())
}

type reply struct {
	ID     uint64  `json:"id,omitempty"`
	Error  string  `json:"error,omitempty"`
	Yields bool    `json:"yields,omitempty"`
	Status *Status `json:"status,omitempty"`
}
