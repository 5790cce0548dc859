package ipvs

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// host is a network namespace beside the test's own, with a thread that lives in it.
type host struct {
	t     *testing.T
	calls chan func()
	path  string // of the namespace
}

// newHost makes a host with no wire.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, calls: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the host
		err := unix.Unshare(unix.CLONE_NEWNET)
		h.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		ready <- err
		for f := range h.calls {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(h.calls) })
	h.do(func() { run(t, "ip", "link", "set", "lo", "up") })
	return h
}

// wire joins the host to the test's namespace: name here, "eth0" there, with an address at each end
// and a default route from there to here.
func (h *host) wire(name, here, there string) {
	t := h.t
	t.Helper()
	run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", h.path)
	run(t, "ip", "addr", "add", here, "dev", name)
	run(t, "ip", "link", "set", name, "up")
	h.do(func() {
		run(t, "ip", "addr", "add", there, "dev", "eth0")
		run(t, "ip", "link", "set", "eth0", "up")
		gateway, _, _ := strings.Cut(here, "/")
		run(t, "ip", "route", "add", "default", "via", gateway)
	})
}

// do calls f in the host and waits for it. f must not fail the test at once.
func (h *host) do(f func()) {
	done := make(chan struct{})
	h.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

// open returns the IPVS of the host.
func (h *host) open() *Host {
	var ipvs *Host
	h.do(func() { ipvs = open(h.t) })
	return ipvs
}
