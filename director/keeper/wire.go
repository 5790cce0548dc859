package keeper

import "time"

// The socket speaks JSON, one value a line. A request has an id, which its reply repeats; a status
// without an id is sent when something has changed.
const (
	opSet     = "set"
	opClaim   = "claim"
	opYield   = "yield"
	opResign  = "resign"
	opConcede = "concede"
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
}

type reply struct {
	ID     uint64  `json:"id,omitempty"`
	Error  string  `json:"error,omitempty"`
	Yields bool    `json:"yields,omitempty"`
	Status *Status `json:"status,omitempty"`
}
