package address

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Address is one address on one interface. Values are comparable.
type Address struct {
	Interface string       // the kernel's name for it
	Prefix    netip.Prefix // the address with the length of its prefix, host bits kept
}

// String returns the address in the form "192.0.2.100/24 on eth0".
func (a Address) String() string {
	return fmt.Sprintf("%s on %s", a.Prefix, a.Interface)
}

// Event is a change that [Host.Watch] tells of.
type Event struct {
	Interface string
	Up        bool    // administratively up, with carrier
	Removed   Address // the zero value if the event is about the interface itself
	// RemovedRoute and RemovedRule are of those that quorate made. An event of one of them is about
	// nothing else.
	RemovedRoute Route
	RemovedRule  Rule
}

// Config is what a [Host] needs.
type Config struct {
	Log hclog.Logger
}

// Lifetime returns how long the kernel keeps an address that is renewed with lifetime d. It counts
// in whole seconds, so that is d rounded up; 0 is for ever.
func Lifetime(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
