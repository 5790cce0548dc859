package keeper

import (
	"sync"
	"time"
)

// Askable is how long the others may take to reach a control that has just come. Until then they claim without its answer.
const Askable = 5 * time.Second

// asked is who answers for what is Active here: control, which is whoever has given an order and is still there. While
// there is none that the others could ask to yield, what they claim is let go as if it had been asked for. Its methods
// may be called concurrently.
type asked struct {
	mu    sync.Mutex
	there int
	since time.Time // when the last one came, or could be reached again
	apart bool      // it says that another director may not have reached it
	heard time.Time // when one that is there said anything last
}

// told takes what control says of whether all others have reached it lately. That they do again it may know before they do.
func (a *asked) told(now time.Time, apart bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.apart && !apart {
		a.since = now
	}
	a.apart = apart
}

// stood notes that the host has stood still: a claim that waits to be read may have been made without asking, and control
// may not have found that out yet.
func (a *asked) stood(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = now
}

func (a *asked) came(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.there++
	a.since, a.heard = now, now
}

// spoke notes that control has said something.
func (a *asked) spoke(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = now
}

// away reports whether control is not connected, or has said nothing for [Away].
func (a *asked) away(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.there <= 0 || now.Sub(a.heard) >= Away
}

// settled reports whether control has been there for long enough to know what was told while it was away.
func (a *asked) settled(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.there > 0 && now.Sub(a.since) >= Askable
}

func (a *asked) left() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.there--
}

// reached reports whether the others can have reached one by now.
func (a *asked) reached(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.there > 0 && !a.apart && now.Sub(a.since) >= Askable
}
