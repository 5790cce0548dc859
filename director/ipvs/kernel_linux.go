package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// requestTimeout bounds one request, or one batch of them: a batch of 60 kB takes milliseconds.
const requestTimeout = 5 * time.Second

// Host is the IPVS of one network namespace. It may be used from several goroutines; they take
// turns, so that no write runs beside a dump of its own.
type Host struct {
	ns netns.NsHandle

	mu   sync.Mutex
	conn *conn // nil until it is needed, and after it broke
}

// Open returns the IPVS of the network namespace of the calling thread. It does not talk to the
// kernel's IPVS: a module that is loaded later is found later.
func Open() (*Host, error) {
	ns, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("open ipvs: network namespace: %w", err)
	}
	return &Host{ns: ns}, nil
}

// Close lets go of the kernel. The table stays.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop()
	return h.ns.Close()
}

// drop ends the conversation; the next request opens another.
func (h *Host) drop() {
	if h.conn != nil {
		h.conn.close()
		h.conn = nil
	}
}

// with calls f with an open conversation, within a deadline. It opens the conversation anew after
// it broke and after the family was gone, which is what a reloaded module looks like.
func (h *Host) with(ctx context.Context, timeout time.Duration, f func(context.Context, *conn) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for try := 0; ; try++ {
		fresh := h.conn == nil
		if fresh {
			c, err := dial(ctx, h.ns)
			if err != nil {
				return err
			}
			h.conn = c
		}
		err := f(ctx, h.conn)
		if _, broken := errors.AsType[*brokenError](err); broken {
			h.drop()
			return err
		}
		if fresh || try > 0 || !errors.Is(err, unix.ENOENT) || !h.moved(ctx) {
			return err
		}
	}
}

// moved reports whether the family IPVS has another number than before, or none: then the
// conversation is dropped.
func (h *Host) moved(ctx context.Context) bool {
	before := h.conn.family
	now, err := h.conn.lookup(ctx)
	if err != nil || now != before {
		h.drop()
		return true
	}
	return false
}

// Table reads the whole table. It is no snapshot: see the package comment.
func (h *Host) Table(ctx context.Context) (Table, error) {
	return h.Part(ctx, func(Key) bool { return true })
}

// Part reads all services, and the destinations of those that of selects. All services take a few system calls together, and the
// destinations of each take three.
func (h *Host) Part(ctx context.Context, of func(Key) bool) (Table, error) {
	table := make(Table)
	err := h.with(ctx, 4*requestTimeout, func(ctx context.Context, c *conn) error {
		clear(table)
		if err := readServices(ctx, c, table); err != nil {
			return fmt.Errorf("read ipvs services: %w", err)
		}
		var some []destination // of one service after the other: a map that grows takes twice what it is in the end
		for key, entry := range table {
			if !of(key) {
				continue
			}
			some = some[:0]
			err := readDests(ctx, c, key, func(addr netip.AddrPort, d Dest, _ *attrs) { some = append(some, destination{addr, d}) })
			if errors.Is(err, unix.ESRCH) {
				delete(table, key) // gone since
				continue
			}
			if err != nil {
				return fmt.Errorf("read the destinations of %v: %w", key, err)
			}
			entry.Dests = make(map[netip.AddrPort]Dest, len(some))
			for _, d := range some {
				entry.Dests[d.addr] = d.dest
			}
			table[key] = entry
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

type destination struct {
	addr netip.AddrPort
	dest Dest
}

func readServices(ctx context.Context, c *conn, table Table) error {
	return c.ask(ctx, request{cmd: cmdGetService, dump: true}, func(b []byte) error {
		a, err := parseAttrs(b)
		if err != nil {
			return err
		}
		key, service, err := decodeService(a[attrService])
		if err != nil {
			return err
		}
		table[key] = Entry{Service: service}
		return nil
	})
}

func readDests(ctx context.Context, c *conn, key Key, each func(netip.AddrPort, Dest, *attrs)) error {
	body := appendNested(nil, attrService, func(b []byte) []byte { return appendKey(b, key) })
	var one attrs // used for one destination after the other, so that a large table leaves less garbage
	return c.ask(ctx, request{cmd: cmdGetDest, dump: true, body: body}, func(b []byte) error {
		a, err := parseAttrs(b)
		if err != nil {
			return err
		}
		addr, dest, err := decodeDest(a[attrDest], familyOf(key.is6()), &one)
		if err != nil {
			return err
		}
		each(addr, dest, &one)
		return nil
	})
}

// Do carries out operations in their order and returns the error, or nil, of each. An operation
// that finds its work done, or half done, by another finishes it: see [Verb].
func (h *Host) Do(ctx context.Context, ops []Op) []error {
	errs := make([]error, len(ops))
	todo := make([]int, 0, len(ops))
	for i, op := range ops {
		if errs[i] = op.check(); errs[i] == nil {
			todo = append(todo, i)
		}
	}
	h.do(ctx, ops, todo, errs)
	var again []int
	second := make([]Op, len(ops))
	for _, i := range todo {
		op, retry, err := settle(ops[i], errs[i])
		if second[i], errs[i] = op, err; retry {
			again = append(again, i)
		}
	}
	if len(again) > 0 {
		h.do(ctx, second, again, errs)
	}
	return errs
}

// do carries out the operations that todo names.
func (h *Host) do(ctx context.Context, ops []Op, todo []int, errs []error) {
	if len(todo) == 0 {
		return
	}
	requests := make([]request, len(todo))
	for n, i := range todo {
		requests[n] = ops[i].request()
	}
	var results []error
	timeout := requestTimeout + time.Duration(len(ops))*time.Millisecond
	err := h.with(ctx, timeout, func(ctx context.Context, c *conn) error {
		results = c.batch(ctx, requests)
		for _, err := range results {
			_, broken := errors.AsType[*brokenError](err)
			if broken || err != nil && allGone(results) {
				return err
			}
		}
		return nil
	})
	for n, i := range todo {
		if errs[i] = err; results != nil && !errors.Is(err, ErrNoIPVS) {
			errs[i] = results[n]
		}
	}
}

// allGone reports whether every request failed as all do when the family is gone.
func allGone(errs []error) bool {
	for _, err := range errs {
		if !errors.Is(err, unix.ENOENT) {
			return false
		}
	}
	return true
}

// settle judges the kernel's answer to an operation: done, refused, or to be tried as another one.
func settle(op Op, err error) (second Op, retry bool, _ error) {
	missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
	switch {
	case err == nil || op.Removes() && missing && !errors.Is(err, ErrNoIPVS):
		return op, false, nil
	case op.Verb == AddService && errors.Is(err, unix.EEXIST):
		op.Verb = SetService
	case op.Verb == AddDest && errors.Is(err, unix.EEXIST):
		op.Verb = SetDest
	case op.Verb == SetService && errors.Is(err, unix.ESRCH):
		op.Verb = AddService
	case op.Verb == SetDest && errors.Is(err, unix.ENOENT):
		op.Verb = AddDest
	default:
		return op, false, err
	}
	return op, true, nil
}

var errOp = errors.New("the operation is not one that the kernel can be asked for")

// check refuses what cannot be put into a request.
func (op Op) check() error {
	valid := op.Key.Mark != 0 || op.Key.Address.Addr().IsValid() && op.Key.Protocol != 0
	switch op.Verb {
	case AddService, SetService:
		valid = valid && op.Service.Netmask >= 1 && op.Service.Netmask <= op.Key.bits()
	case AddDest, SetDest, DelDest:
		valid = valid && op.Addr.Addr().IsValid()
	case DelService:
	default:
		valid = false
	}
	if !valid {
		return errOp
	}
	return nil
}

// request returns the operation in wire form.
func (op Op) request() request {
	service := func(b []byte) []byte { return appendKey(b, op.Key) }
	switch op.Verb {
	case AddService, SetService:
		cmd := cmdNewService
		if op.Verb == SetService {
			cmd = cmdSetService
		}
		body := appendNested(nil, attrService, func(b []byte) []byte { return appendService(b, op.Key, op.Service) })
		return request{cmd: cmd, body: body}
	case DelService:
		return request{cmd: cmdDelService, body: appendNested(nil, attrService, service)}
	}
	dest := func(b []byte) []byte { return appendDest(b, op.Addr, op.Dest) }
	cmd := cmdNewDest
	switch op.Verb {
	case SetDest:
		cmd = cmdSetDest
	case DelDest:
		cmd, dest = cmdDelDest, func(b []byte) []byte { return appendDestKey(b, op.Addr) }
	}
	return request{cmd: cmd, body: appendNested(appendNested(nil, attrService, service), attrDest, dest)}
}
