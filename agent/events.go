package agent

import (
	"context"
	"sync"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/keeper"
)

// maxEvents is how many events an agent remembers.
const maxEvents = 5000

// eventLog is what happened lately, newest last.
type eventLog struct {
	mu     sync.Mutex
	events []api.Event
	next   uint64 // of the newest; 0: none has happened yet
	news   bell

	transition keeper.Transition // the last that was told; it belongs to the session's follow
}

// add remembers something that happens now.
func (l *eventLog) add(director string, index uint64, kind, name, text string) {
	l.put(api.Event{Time: time.Now().UTC(), Director: director, Index: index, Kind: kind, Name: name, Text: text})
}

// put remembers an event, and numbers it: from the time on at which the first happened, in microseconds, so that whoever goes
// on after a number that an agent gave which ran here before misses nothing of this one.
func (l *eventLog) put(e api.Event) {
	l.mu.Lock()
	if l.next == 0 {
		l.next = uint64(time.Now().UnixMicro())
	}
	l.next++
	e.Sequence = l.next
	l.events = append(l.events, e)
	if len(l.events) > 2*maxEvents {
		l.events = append([]api.Event(nil), l.events[len(l.events)-maxEvents:]...)
	}
	l.mu.Unlock()
	l.news.ring()
}

// last returns the sequence number of the newest event.
func (l *eventLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// since returns the events after sequence. If there are none yet and wait is set, it waits for
// one, or for ctx to end. A sequence that is still to come is of an agent that ran here before the clock was set back:
// it gets all that there are, and is to go on after the last of these, not after the highest that it was given ever.
func (l *eventLog) since(ctx context.Context, sequence uint64, wait bool) []api.Event {
	heard, stop := l.news.listen()
	defer stop()
	for {
		l.mu.Lock()
		if sequence > l.next {
			sequence = 0
		}
		i := len(l.events)
		for i > 0 && l.events[i-1].Sequence > sequence {
			i--
		}
		out := append([]api.Event{}, l.events[i:]...)
		l.mu.Unlock()
		if len(out) > 0 || !wait {
			return out
		}
		select {
		case <-ctx.Done():
			return out
		case <-heard:
		}
	}
}

// Events implements [api.Agent].
func (a *Agent) Events(ctx context.Context, after uint64, wait bool) ([]api.Event, error) {
	return a.events.since(ctx, after, wait), nil
}

// bell wakes whoever listens. It never blocks and never counts: to be woken means to look again.
type bell struct {
	mu        sync.Mutex
	listeners map[chan struct{}]bool
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.listeners {
		poke(c)
	}
}

// listen returns a channel that is poked at every ring, and a func that ends that.
func (b *bell) listen() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[chan struct{}]bool{}
	}
	b.listeners[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, c)
	}
}

// poke wakes the reader of a channel of capacity 1, without waiting.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
