package ipvs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where the sync daemons meet, unless they are told otherwise.
var syncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

const (
	syncPort   = 8848
	syncWindow = 32 // messages on their way to the daemon: a default socket buffer holds twice as many
)

// ErrNoBackup means that there is no backup sync daemon to take connections in.
var ErrNoBackup = errors.New("no ipvs backup sync daemon runs with an IPv4 group")

// Conns reads the connection table. It is no snapshot: entries come and go while it is read.
func (h *Host) Conns() ([]Conn, error) {
	var table []byte
	err := inside(h.ns, func() (err error) {
		table, err = os.ReadFile(procNet + "ip_vs_conn")
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNoIPVS
	}
	if err != nil {
		return nil, fmt.Errorf("read the ipvs connections: %w", err)
	}
	return ParseConns(bytes.NewReader(table))
}

// ErrTooLarge means that a connection table is larger than it may be for what it was read for.
var ErrTooLarge = errors.New("the connection table is too large to be read in time")

// ConnsWithin is [Host.Conns] as long as ctx lasts, and of a table that is shown in so many bytes at most: [ErrTooLarge] else.
func (h *Host) ConnsWithin(ctx context.Context, size int) ([]Conn, error) {
	var table *os.File
	err := inside(h.ns, func() (err error) {
		table, err = os.Open(procNet + "ip_vs_conn")
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNoIPVS
	}
	if err != nil {
		return nil, fmt.Errorf("read the ipvs connections: %w", err)
	}
	defer table.Close()
	return ParseConns(&within{ctx, table, size})
}

// within is a reader that ends with an error when its time or its size has.
type within struct {
	ctx  context.Context //nolint:containedctx // it is read by one call, and no longer than that
	from io.Reader
	left int
}

func (w *within) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.from.Read(b)
	if w.left -= n; w.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// Reuses reports whether a SYN begins a connection anew where one from the same port is over (net.ipv4.vs.conn_reuse_mode).
func (h *Host) Reuses() bool {
	mode := "0"
	err := inside(h.ns, func() error {
		b, err := os.ReadFile("/proc/sys/net/ipv4/vs/conn_reuse_mode")
		mode = strings.TrimSpace(string(b))
		return err
	})
	return err == nil && mode != "0"
}

// Inject puts connections into this host's connection table, by way of its own backup sync daemon,
// which must run. Nothing of it leaves the host. It returns when the daemon has taken all of it in that has come to its
// socket, which on a busy kernel may not be the last of it yet; entries that are there already are renewed.
func (h *Host) Inject(ctx context.Context, conns []Conn) error {
	daemons, err := h.Daemons(ctx)
	if err != nil {
		return fmt.Errorf("inject connections: %w", err)
	}
	backup, ok := sameRole(daemons, false)
	if !ok || backup.Group.IsValid() && !backup.Group.Is4() {
		return fmt.Errorf("inject connections: %w", ErrNoBackup)
	}
	var in injector
	if err := inside(h.ns, func() error { return in.open(backup) }); err != nil {
		return fmt.Errorf("inject connections by the %v: %w", backup, err)
	}
	defer unix.Close(in.fd)
	if err := in.send(ctx, h, EncodeSync(backup.SyncID, conns, int(backup.MaxLen))); err != nil {
		return fmt.Errorf("inject connections by the %v: %w", backup, err)
	}
	return nil
}

// injector is a socket towards the own backup daemon.
type injector struct {
	fd    int
	group netip.AddrPort
}

func (in *injector) open(backup Daemon) error {
	in.group = netip.AddrPortFrom(syncGroup, cmp.Or(backup.Port, syncPort))
	if backup.Group.IsValid() {
		in.group = netip.AddrPortFrom(backup.Group, in.group.Port())
	}
	device, err := net.InterfaceByName(backup.Interface)
	if err != nil {
		return err
	}
	if in.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	err = unix.SetsockoptIPMreqn(in.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(device.Index)})
	if err == nil {
		err = unix.SetsockoptInt(in.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1)
	}
	if err == nil { // with 0 a packet is looped back and goes no further
		err = unix.SetsockoptInt(in.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 0)
	}
	if err != nil {
		unix.Close(in.fd)
	}
	return err
}

// send sends the messages, no faster than the daemon takes them.
func (in *injector) send(ctx context.Context, h *Host, messages [][]byte) error {
	_, before, err := in.queue(h)
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Addr: in.group.Addr().As4(), Port: int(in.group.Port())}
	for i, message := range messages {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := unix.Sendto(in.fd, message, 0, to); err != nil {
			return err
		}
		if (i+1)%syncWindow != 0 && i != len(messages)-1 {
			continue
		}
		drops, err := in.drain(ctx, h)
		if err != nil {
			return err
		}
		if drops != before {
			return fmt.Errorf("the daemon's socket dropped %d messages", drops-before)
		}
	}
	return nil
}

// drain waits until the daemon's socket is empty.
func (in *injector) drain(ctx context.Context, h *Host) (drops uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		queued, drops, err := in.queue(h)
		if err != nil || queued == 0 {
			return drops, err
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return drops, fmt.Errorf("the daemon does not take them: %w", err)
		}
	}
}

// queue looks at the daemon's socket.
func (in *injector) queue(h *Host) (queued, drops uint64, err error) {
	var table []byte
	err = inside(h.ns, func() (err error) {
		table, err = os.ReadFile(procNet + "udp")
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	queued, drops, ok := socketQueue(table, in.group)
	if !ok {
		return 0, 0, ErrNoBackup
	}
	return queued, drops, nil
}
