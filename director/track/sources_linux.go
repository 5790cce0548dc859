package track

import (
	"context"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// A looker looks once, and says whether it learned anything.
type looker func(context.Context) (Observation, bool)

// sources is where looks come from.
type sources interface {
	// open begins to tell of changes of whole kinds, by goroutines of wg, until ctx ends. What it
	// returns is called when all of them, and all lookers, have ended.
	open(ctx context.Context, wg *sync.WaitGroup, changed func(Kind)) (closeAll func())
	// need says what is watched from now on. It has one caller at a time.
	need(ctx context.Context, wg *sync.WaitGroup, specs []Spec)
	looker(Spec) looker
}

func newHost(log hclog.Logger) *host {
	return &host{log: log, processes: processes{open: openConnector}}
}

// host is this host.
type host struct {
	log       hclog.Logger
	links     *links // nil: interfaces cannot be looked at
	changed   func(Kind)
	processes processes
	stop      context.CancelFunc // of the watch over processes; nil: there is none
}

func (h *host) open(ctx context.Context, wg *sync.WaitGroup, changed func(Kind)) func() {
	h.changed, h.stop = changed, nil
	var err error
	h.links, err = openLinks()
	if err != nil {
		h.log.Warn("the kernel does not tell of interfaces: they are looked at each interval only", "err", err)
	}
	if h.links == nil {
		return func() {}
	}
	if h.links.events != nil {
		wg.Go(func() {
			err := h.links.watch(ctx, func() { changed(Interface) })
			if err != nil {
				h.log.Warn("interfaces are looked at each interval only from now on", "err", err)
			}
		})
	}
	return h.links.close
}

func (h *host) need(ctx context.Context, wg *sync.WaitGroup, specs []Spec) {
	wanted := slices.ContainsFunc(specs, func(s Spec) bool { return s.Kind == Process })
	if h.stop != nil && !wanted {
		h.stop()
		h.stop = nil
	}
	if wanted && h.stop == nil {
		var watching context.Context
		watching, h.stop = context.WithCancel(ctx)
		wg.Go(func() { h.processes.watch(watching, h.log, func() { h.changed(Process) }) })
	}
}

func (h *host) looker(s Spec) looker {
	switch s.Kind {
	case Interface:
		return func(context.Context) (Observation, bool) {
			if h.links == nil {
				return Observation{}, false
			}
			return h.links.look(s.Interface)
		}
	case Script:
		return (&scriptLooker{spec: s, log: h.log}).look
	case File:
		return func(ctx context.Context) (Observation, bool) { return lookAtFile(ctx, s) }
	default:
		return func(context.Context) (Observation, bool) { return h.processes.look(s) }
	}
}
