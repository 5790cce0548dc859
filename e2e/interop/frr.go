package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// frr is Debian's FRR: zebra and vrrpd.
type frr struct {
	t    lab.T
	cell Cell
	on   *lab.Host

	zebra, vrrpd *lab.Process
	has          Settings
}

// frrDir is where the daemons are; they are in nobody's PATH.
const frrDir = "/usr/lib/frr/"

// macvlan is the interface that FRR finds by its virtual MAC.
const macvlan = "vrrp4-2-1"

// Host implements [Speaker].
func (f *frr) Host() *lab.Host { return f.on }

// Start implements [Speaker].
func (f *frr) Start(s Settings) {
	f.t.Helper()
	f.has = s
	if f.zebra == nil || !f.zebra.Alive() {
		f.boot(s)
	}
	f.vrrpd = realtime(f.on, "vrrpd", frrDir+"vrrpd", "-u", "frr", "-g", "frr", "-f", f.on.WriteFile("vrrpd.conf", f.config(s)),
		"-i", "/run/frr/vrrpd.pid", "--log", "stdout")
	f.await("vrrpd.vty")
}

// boot prepares the machine after it was switched on: the user that the daemons want is root, so that it
// exists in a user namespace too; the macvlan has the virtual MAC and the addresses, and only FRR's
// protodown decides whether they work. The interface itself must not answer ARP for them, nor ask with them.
func (f *frr) boot(s Settings) {
	f.t.Helper()
	run := filepath.Join(f.on.Dir, "run", "frr")
	os.RemoveAll(run) // of the last boot
	if err := os.MkdirAll(run, 0o755); err != nil {
		f.t.Fatalf("%v", err)
	}
	f.on.WriteFile("passwd", "root:x:0:0:root:/:/bin/sh\nfrr:x:0:0:FRR:/:/bin/sh\n")
	f.on.WriteFile("group", "root:x:0:\nfrr:x:0:frr\nfrrvty:x:0:frr,root\n")
	mac, name := fmt.Sprintf("00:00:5e:00:01:%02x", vrid), macvlan
	if f.cell.V6 {
		mac = fmt.Sprintf("00:00:5e:00:02:%02x", vrid)
	}
	var b strings.Builder
	etc := filepath.Join(f.on.Dir, "etc")
	fmt.Fprintf(&b, "set -e; mount --bind %[1]s/passwd /etc/passwd; mount --bind %[1]s/group /etc/group\n", etc)
	fmt.Fprintf(&b, "ip link add %[1]s link eth0 type macvlan mode bridge; ip link set dev %[1]s addrgenmode random\n", name)
	fmt.Fprintf(&b, "ip link set dev %s address %s\n", name, mac)
	b.WriteString(aloof)
	for _, p := range s.Addresses {
		b.WriteString(f.address("add", p.String()))
	}
	// The interface's own link-local address last, which makes it the first in the kernel's list: FRR's adverts
	// leave from the first one, and if that is a virtual one, quorate does not believe them.
	if f.cell.VirtualSource { // it has no other
		fmt.Fprintf(&b, "ip link set dev %[1]s addrgenmode none; ip link set dev %[1]s up\n", name)
	} else {
		fmt.Fprintf(&b, "ip link set dev %[1]s up; until ip -6 addr show dev %[1]s scope link -tentative | grep fe80 | grep -qv %[2]s; do sleep 0.01; done\n",
			name, linkLocal6)
	}
	fmt.Fprintf(&b, "ip link set dev %s protodown on\n", name)
	f.on.MustRun("sh", "-c", b.String())
	f.zebra = realtime(f.on, "zebra", frrDir+"zebra", "-u", "frr", "-g", "frr", "-f", f.on.WriteFile("zebra.conf", ""),
		"-i", "/run/frr/zebra.pid", "--log", "stdout")
	f.await("zserv.api")
}

func (f *frr) address(verb, prefix string) string {
	nodad := ""
	if f.cell.V6 && verb == "add" {
		nodad = " nodad"
	}
	return fmt.Sprintf("ip addr %s %s dev %s%s\n", verb, prefix, macvlan, nodad)
}

func (f *frr) await(socket string) {
	f.t.Helper()
	lab.Eventually(f.t, 10*time.Second, "FRR has "+socket, func() error {
		_, err := os.Stat(filepath.Join(f.on.Dir, "run", "frr", socket))
		return err
	})
}

func (f *frr) config(s Settings) string {
	var b strings.Builder
	b.WriteString("interface eth0\n")
	for _, line := range f.lines(s) {
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}

// lines are the commands of the interface. The version comes first: without it the interval of version 2
// is refused.
func (f *frr) lines(s Settings) []string {
	lines := []string{
		fmt.Sprintf("vrrp %d version %d", vrid, f.cell.Version),
		fmt.Sprintf("vrrp %d priority %d", vrid, s.Priority),
		fmt.Sprintf("vrrp %d advertisement-interval %d", vrid, s.Interval.Milliseconds()),
	}
	for _, p := range s.Addresses {
		lines = append(lines, f.vip(p.Addr().String()))
	}
	return lines
}

func (f *frr) vip(addr string) string {
	if f.cell.V6 {
		return fmt.Sprintf("vrrp %d ipv6 %s", vrid, addr)
	}
	return fmt.Sprintf("vrrp %d ip %s", vrid, addr)
}

// Set implements [Speaker].
func (f *frr) Set(s Settings) {
	f.t.Helper()
	argv := []string{"vtysh", "-d", "vrrpd", "-c", "configure terminal", "-c", "interface eth0"}
	var script strings.Builder
	if s.Priority != f.has.Priority {
		argv = append(argv, "-c", fmt.Sprintf("vrrp %d priority %d", vrid, s.Priority))
	}
	if s.Interval != f.has.Interval {
		argv = append(argv, "-c", fmt.Sprintf("vrrp %d advertisement-interval %d", vrid, s.Interval.Milliseconds()))
	}
	for _, p := range s.Addresses[min(len(s.Addresses), len(f.has.Addresses)):] {
		script.WriteString(f.address("add", p.String()))
		argv = append(argv, "-c", f.vip(p.Addr().String()))
	}
	for _, p := range f.has.Addresses[min(len(s.Addresses), len(f.has.Addresses)):] {
		script.WriteString(f.address("del", p.String()))
		argv = append(argv, "-c", "no "+f.vip(p.Addr().String()))
	}
	f.has = s
	if script.Len() > 0 {
		f.on.MustRun("sh", "-c", script.String())
	}
	f.on.MustRun(argv...)
}

// Stop implements [Speaker]. Zebra stays.
func (f *frr) Stop() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.vrrpd.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatalf("stop vrrpd: %v", err)
	}
	if err := f.vrrpd.Wait(ctx); err != nil && ctx.Err() != nil {
		f.t.Fatalf("stop vrrpd: %v", err)
	}
	os.Remove(filepath.Join(f.on.Dir, "run", "frr", "vrrpd.vty"))
}

// Kill implements [Speaker].
func (f *frr) Kill() {
	f.t.Helper()
	f.vrrpd.Kill()
	os.Remove(filepath.Join(f.on.Dir, "run", "frr", "vrrpd.vty"))
}
