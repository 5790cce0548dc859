package track

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// links looks at interfaces. What the kernel tells is only taken as a reason to look: it may come late,
// and may be lost.
type links struct {
	fd     int       // any socket will do
	events *listener // nil: the interval alone decides when to look
}

// openLinks looks at the interfaces of the calling thread's network namespace.
func openLinks() (*links, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket to look at interfaces: %w", err)
	}
	l := &links{fd: fd}
	l.events, err = listen(unix.NETLINK_ROUTE, unix.RTMGRP_LINK)
	return l, err
}

func (l *links) close() {
	unix.Close(l.fd)
	if l.events != nil {
		l.events.close()
	}
}

// watch calls changed whenever an interface may have changed, until ctx ends.
func (l *links) watch(ctx context.Context, changed func()) error {
	for ctx.Err() == nil {
		_, err := l.events.receive(ctx, time.Time{})
		if err != nil && !errors.Is(err, errLost) && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("watch interfaces: %w", err)
		}
		changed()
	}
	return nil
}

// look says whether an interface is up and has carrier.
func (l *links) look(name string) (Observation, bool) {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(l.fd, unix.SIOCGIFFLAGS, request)
	}
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EINVAL):
		return Observation{Reason: fmt.Sprintf("there is no interface %s", name)}, true
	case err != nil:
		return Observation{}, false
	case request.Uint16()&unix.IFF_UP == 0:
		return Observation{Reason: fmt.Sprintf("interface %s is set down", name)}, true
	case request.Uint16()&unix.IFF_RUNNING == 0:
		return Observation{Reason: fmt.Sprintf("interface %s has no carrier", name)}, true
	}
	return Observation{OK: true}, true
}
