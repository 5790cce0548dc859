package keeper

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Quiet keeps the host from resetting flows that its kernel does not know. It is of one goroutine at a time.
type Quiet interface {
	// Set has the host reset no flow to these addresses, and those to all others as it does without.
	Set(addrs []netip.AddrPort) error
}

// quieting has the host be quiet as the order says, away from the loop: a thousand sockets take a while. It is of the
// order and not of who owns: what arrives before this host owns an address, or after, is not for it either.
type quieting struct {
	Quiet
	log  hclog.Logger
	poke chan struct{} // capacity 1

	mu   sync.Mutex
	want []netip.AddrPort
}

// quietAgain is when what failed is tried again.
const quietAgain = time.Second

// set says where to be quiet from now on.
func (q *quieting) set(addrs []netip.AddrPort) {
	q.mu.Lock()
	q.want = addrs
	q.mu.Unlock()
	poke(q.poke)
}

func (q *quieting) wanted() []netip.AddrPort {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.want
}

// run does so until ctx ends. What it holds then goes with the process.
func (q *quieting) run(ctx context.Context) {
	said := ""
	var again <-chan time.Time
	for q.Quiet != nil {
		select {
		case <-ctx.Done():
			return
		case <-q.poke:
		case <-again:
		}
		err := q.Set(q.wanted())
		if again = nil; err != nil {
			again = time.After(quietAgain)
		}
		if text := errorText(err); text != said {
			said = text
			if err != nil { // control holds the same, and shows it to people
				q.log.Warn("unknown flows may be reset while control is away", "err", err)
			}
		}
	}
}
