package address

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// relistAfter is how long a list that could not be read is waited with.
const relistAfter = 50 * time.Millisecond

// Watch calls f with the state of every interface, and then with every change of an interface's
// state, every address that was removed or is of no use since a duplicate was detected, and every
// route and rule of quorate's that was removed or replaced, until ctx ends, and then returns nil. When the kernel
// has lost events because there were too many, it reads the lists again and tells of the
// differences. What f is told may be over by then: it must look. One Watch at a time.
func (h *Host) Watch(ctx context.Context, f func(Event)) error {
	if !h.watching.TryLock() {
		return errors.New("watch interfaces: already watched")
	}
	defer h.watching.Unlock()
	if err := h.events.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("watch interfaces: %w", err)
	}
	if err := h.events.member(unix.NETLINK_ADD_MEMBERSHIP); err != nil {
		return fmt.Errorf("watch interfaces: %w", err)
	}
	defer func() { _ = h.events.member(unix.NETLINK_DROP_MEMBERSHIP) }()
	w := watcher{host: h, tell: f, view: newView(), stale: true}
	for ctx.Err() == nil {
		if err := w.next(ctx); err != nil {
			return fmt.Errorf("watch interfaces: %w", err)
		}
	}
	return nil
}

// watcher is one call of Watch.
type watcher struct {
	host  *Host
	tell  func(Event)
	view  *view
	stale bool // events were lost: the lists must be read
}

// next tells of what comes next.
func (w *watcher) next(ctx context.Context) error {
	if w.stale {
		if err := w.relist(); err != nil {
			w.host.log.Warn("list interfaces and addresses, again soon", "err", err)
		}
	}
	deadline := time.Time{}
	if w.stale {
		deadline = time.Now().Add(relistAfter)
	}
	got, err := w.wait(ctx, deadline)
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, unix.ENOBUFS):
		w.host.log.Warn("the kernel lost events of interfaces and addresses: reading the lists")
		w.stale = true
		return nil
	case err != nil:
		return err
	}
	for _, m := range got {
		w.all(w.view.apply(m))
	}
	return nil
}

func (w *watcher) wait(ctx context.Context, deadline time.Time) ([]message, error) {
	file := w.host.events.file
	if err := file.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = file.SetReadDeadline(time.Unix(1, 0))
		close(ended)
	})
	got, err := w.host.events.receive()
	if !stop() {
		<-ended
	}
	return got, err
}

// relist reads the lists and tells how they differ from what was told. What had arrived until now
// is older, and the kernel says again that it lost events only when its queue was empty in between.
func (w *watcher) relist() error {
	if err := w.host.events.drain(); err != nil {
		return err
	}
	w.host.mu.Lock()
	links, err := w.host.links()
	var have map[int][]entry
	var paths kernelPaths
	whole := false
	if err == nil {
		have, whole, err = w.host.entries()
	}
	if err == nil {
		paths, err = w.host.paths(everything)
	}
	w.host.mu.Unlock()
	if err != nil {
		return err
	}
	if !whole {
		return errInterrupted
	}
	w.stale = false
	w.all(w.view.list(links, have, paths))
	return nil
}

func (w *watcher) all(events []Event) {
	for _, e := range events {
		w.tell(e)
	}
}
