package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/director/suspend"
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
	Linger   bool          `json:"linger,omitempty"`
	// Ends is when the request is over, by CLOCK_BOOTTIME, which all processes of a machine share; 0 for never. One that
	// waited in the socket of a frozen keeper, or while the host was suspended, is not carried out long after it was given up.
	Ends time.Duration `json:"ends,omitempty"`
	// Until is the same by CLOCK_MONOTONIC, which stands still during a suspend: control and keeper of older versions know that alone.
	Until time.Duration `json:"until,omitempty"`
}

// errLate says that a request is over.
var errLate = errors.New("it came too late: who asked has given up by now")

// over returns an error if the request is over.
func (q request) over() error {
	up := suspend.Uptime()
	if q.Ends != 0 && up > q.Ends || q.Ends == 0 && q.Until != 0 && up-suspend.Slept() > q.Until {
		return errLate
	}
	return nil
}

// given returns a request that is over when it is given up, as ctx ends, or within a while if that is not 0.
func (q request) given(ctx context.Context, within time.Duration) request {
	if end, ok := ctx.Deadline(); ok && (within == 0 || time.Until(end) < within) {
		within = max(time.Until(end), 1)
	}
	if within != 0 {
		q.Ends = suspend.Uptime() + within
		q.Until = q.Ends - suspend.Slept()
	}
	return q
}

type reply struct {
	ID     uint64  `json:"id,omitempty"`
	Error  string  `json:"error,omitempty"`
	Yields bool    `json:"yields,omitempty"`
	Status *Status `json:"status,omitempty"`
}
