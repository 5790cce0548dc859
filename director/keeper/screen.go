package keeper

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/accept"
)

// screen is the worker's part of what keeps packets from the host. An address that is refused never is on the
// host without it: it comes before the address, and goes after it. It is of the order and not of who owns,
// since it does no harm where the address is not.
type screen struct {
	Screen
	log   hclog.Logger
	doubt atomic.Bool // somebody may have changed it

	// The rest is owned by the worker.
	begun   bool         // refused is what the kernel has; before, it may have what an earlier run left
	refused accept.Table // what it has
	retry   time.Time    // after an error
	said    string       // the last error
}

// screened tells the loop what was done about the screen.
type screened struct {
	again bool   // somebody else had changed it
	err   string // what is wrong, or empty
}

// refused are the addresses that the host is to take no packets for.
func (o Order) refused() accept.Table {
	var out []accept.Address
	for _, g := range o.Groups {
		for _, r := range g.Routers {
			if !r.Refuse {
				continue
			}
			for _, a := range r.Kept() {
				out = append(out, accept.Address{Addr: a.Prefix.Addr(), Interface: a.Interface})
			}
		}
	}
	return accept.NewTable(out)
}

// setRefused says what to refuse from now on.
func (w *worker) setRefused(t accept.Table) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusing = t
	poke(w.poke)
}

// watch looks again when somebody may have changed the screen, until ctx ends.
func (s *screen) watch(ctx context.Context, look chan struct{}) {
	for s.Screen != nil && ctx.Err() == nil {
		err := s.Watch(ctx, func() {
			s.doubt.Store(true)
			poke(look)
		})
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("watch what keeps packets from the host, trying again", "err", err)
		s.doubt.Store(true)
		poke(look)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// refuse has the host refuse what is wanted, and what was refused and is on the host still. A host that cannot
// serves all the same: it says so.
func (w *worker) refuse(wants map[identity]want, now time.Time) []report {
	s := &w.screen
	if s.Screen == nil {
		return nil
	}
	table := w.toRefuse(wants)
	if s.begun && !s.doubt.Load() && slices.Equal(table, s.refused) || s.retry.After(now) {
		return nil
	}
	s.doubt.Store(false)
	again, err := s.Refuse(table)
	text := errorText(err)
	if err != nil {
		s.retry = now.Add(retryAfter)
		s.doubt.Store(true)
	} else {
		s.begun, s.refused, s.retry = true, table, time.Time{}
	}
	if text == s.said && !again {
		return nil
	}
	if text != s.said && err != nil {
		w.log.Error("keep packets from the host", "err", err)
	}
	s.said = text
	return []report{{screen: &screened{again, text}}}
}

// toRefuse is what the order has refused, and of what was refused before that which is still to go.
func (w *worker) toRefuse(wants map[identity]want) accept.Table {
	w.mu.Lock()
	table := w.refusing
	w.mu.Unlock()
	_, gone := w.screen.refused.Diff(table)
	if len(gone) == 0 {
		return table
	}
	kept, going := addressesOf(wants), []accept.Address{}
	for _, h := range w.have {
		for a := range h.slots {
			if !kept[a] {
				going = append(going, accept.Address{Addr: a.Prefix.Addr(), Interface: a.Interface})
			}
		}
	}
	still := slices.DeleteFunc(accept.NewTable(going), func(a accept.Address) bool { return !gone.Has(a) })
	return accept.NewTable(slices.Concat(table, still))
}

// screened takes what was done about the screen.
func (k *keeper) screened(now time.Time, s screened) {
	k.changed = k.changed || k.refusal != s.err
	k.refusal = s.err
	if !s.again {
		return
	}
	for _, g := range k.groups {
		for _, r := range g.routers {
			if !r.spec.Refuse {
				continue
			}
			r.restored++
			k.changed = true
			k.event(now, g, r.spec.Name+": restored the nftables table that refuses packets to its addresses, which somebody else changed")
		}
	}
}
