package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Host is the table of this host, in one network namespace. Its methods may be called from several
// goroutines.
type Host struct {
	events *conn

	mu       sync.Mutex
	requests *conn
	none     error // why the kernel has no nftables, where that is known
	known    bool  // whether what is there was looked at, or made
	made     image // what this process has made, as the kernel showed it right after
}

// New opens the sockets in the network namespace of the calling thread. Where that cannot be done, it is no
// error before something is to be refused.
func New() *Host {
	h := &Host{}
	var err, deaf error
	h.requests, err = dial()
	h.events, deaf = dial(unix.NFNLGRP_NFTABLES)
	if err = errors.Join(err, deaf); err != nil {
		h.none = reason(err)
	}
	return h
}

// Close closes the sockets and ends a [Host.Watch]. The table stays.
func (h *Host) Close() error {
	var errs []error
	for _, c := range []*conn{h.requests, h.events} {
		if c != nil {
			errs = append(errs, c.file.Close())
		}
	}
	return errors.Join(errs...)
}

// Refuse has the host take no packets from the network for some addresses, and for no others that it refused
// before. What is there already stays as it is; Again says that somebody else had changed it. With no
// addresses there is no table.
func (h *Host) Refuse(want Table) (again bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(want) == 0 && h.known && len(h.made.table) == 0 {
		return false, nil
	}
	if h.none != nil {
		if len(want) == 0 {
			return false, nil
		}
		return false, h.none
	}
	have, err := h.look()
	if err != nil {
		return false, fmt.Errorf("read the nftables table %s: %w", tableName, reason(err))
	}
	foreign := h.known && !have.same(h.made)
	switch {
	case len(want) == 0 && !have.there:
		h.known, h.made = true, have
		return false, nil
	case h.known && !foreign && slices.Equal(h.made.table, want):
		return false, nil
	}
	if err := h.requests.change(want.requests(), false); err != nil {
		return false, fmt.Errorf("write the nftables table %s: %w", tableName, reason(err))
	}
	have, err = h.look()
	if err != nil {
		return false, fmt.Errorf("read the nftables table %s: %w", tableName, reason(err))
	}
	if !have.holds(want) {
		return false, fmt.Errorf("write the nftables table %s: the kernel says it did, and has not all of it", tableName)
	}
	h.known, h.made = true, have
	h.made.table = want
	return foreign, nil
}

// Trial says why this host could not refuse anything, nil if it could. It changes nothing.
func (h *Host) Trial() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.none != nil {
		return h.none
	}
	return reason(h.requests.change(sample.requests(), true))
}

// sample has an element in each set.
var sample = NewTable([]Address{
	{Addr: addrOf("192.0.2.1")}, {Addr: addrOf("2001:db8::1")}, {Addr: addrOf("fe80::1"), Interface: "lo"},
})

// reason makes an error of the kernel one that a person can act on.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: the kernel must have nf_tables with the family inet (`modprobe nf_tables`, and restart the keeper)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: it needs CAP_NET_ADMIN", err)
	}
	return err
}

// Watch calls f when the tables of nftables that are quorate's may have changed, until ctx ends, and then
// returns nil. What f is told may be over by then: it must look. One Watch at a time.
func (h *Host) Watch(ctx context.Context, f func()) error {
	if h.events == nil {
		<-ctx.Done()
		return nil
	}
	if err := h.events.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("watch nftables: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = h.events.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		got, err := h.events.receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // some were lost
			f()
		case err != nil:
			return fmt.Errorf("watch nftables: %w", err)
		case slices.ContainsFunc(got, about):
			f()
		}
	}
}

// about reports whether a message is about quorate's table. The table's name is the first attribute of all
// that are about a table.
func about(a answer) bool {
	ours := false
	if a.kind>>8 != unix.NFNL_SUBSYS_NFTABLES || len(a.body) < familySize || a.body[0] != unix.NFPROTO_INET {
		return false
	}
	err := attrs(a.attributes(), func(kind uint16, value []byte) {
		ours = ours || kind == unix.NFTA_TABLE_NAME && string(value) == tableName+"\x00"
	})
	return ours && err == nil
}
