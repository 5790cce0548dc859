package vrrp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var spaces atomic.Int32

// beside puts the test's goroutine into a network namespace with qa, and returns the name of one with qb
// at the other end of the wire.
func beside(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Skip("needs keepalived, which is not installed")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	name := fmt.Sprintf("vrrp-%d-%d", os.Getpid(), spaces.Add(1))
	ip(t, "netns add "+name)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	ip(t, "link add qa type veth peer name qb netns "+name, "link set qa addrgenmode none", "-n "+name+" link set qb addrgenmode none",
		"-n "+name+" link set lo up", "-n "+name+" link set qb up", "link set qa up",
		"addr add 192.0.2.1/24 dev qa", "-n "+name+" addr add 192.0.2.2/24 dev qb", "-n "+name+" addr add fe80::2/64 dev qb nodad")
	address6(t, "fe80::1")
	return name
}

// runKeepalived runs it with an instance of priority 150 in a namespace, until the test ends.
func runKeepalived(t *testing.T, space string, version int, instance string) {
	t.Helper()
	dir := t.TempDir()
	file, child := filepath.Join(dir, "keepalived.conf"), filepath.Join(dir, "vrrp.pid")
	text := fmt.Sprintf("global_defs {\n router_id t\n vrrp_version %d\n}\nvrrp_instance i {\n interface qb\n virtual_router_id 51\n priority 150\n%s\n}\n", version, instance)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", space, "keepalived", "--vrrp", "--dont-fork", "--log-console", "--use-file", file, "--pid", filepath.Join(dir, "pid"), "--vrrp_pid", child)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGSTOP) // or it starts its child again
		if b, err := os.ReadFile(child); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// listener hears what a judge believes.
type listener struct {
	t     *testing.T
	conn  Conn
	judge *Judge
}

// next returns the priority of the next advert that is believed, and false if none comes in time.
func (l *listener) next(within time.Duration) (uint8, bool) {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(time.Millisecond) {
		d, ok, err := l.conn.Receive(make([]byte, 2048))
		if err != nil {
			l.t.Fatal(err)
		}
		if !ok {
			continue
		}
		ev, _, drop := l.judge.Hear(time.Now(), d, d.Src)
		if drop != "" {
			l.t.Errorf("keepalived's advert is dropped for %q: %x", drop, d.Payload)
			continue
		}
		return ev.Priority, true
	}
	return 0, false
}

// keepalived's adverts are believed, it yields to a higher one of ours, and takes over after its skew when
// we resign: so it believes ours.
func TestKeepalivedBelievesAndIsBelieved(t *testing.T) {
	neighbor := []Neighbor{{Address: addr("192.0.2.2")}}
	const four, six = "virtual_ipaddress {\n 192.0.2.100/24\n}\n", "virtual_ipaddress {\n fe80::100/64\n 2001:db8::100/64\n}\n"
	const second, calm = "advert_int 1\n" + four, "advert_int 0.4\n" + four
	const uni = "unicast_src_ip 192.0.2.2\nunicast_peer {\n 192.0.2.1\n}\n"
	const pass, ah = "authentication {\n auth_type PASS\n auth_pass s3cr3t\n}\n", "authentication {\n auth_type AH\n auth_pass s3cr3t\n}\n"
	for _, tt := range []struct {
		name, conf string
		profile    Profile
		v6         bool
	}{
		{name: "V7 V30 version 2", conf: second, profile: Profile{Version: V2}},
		{name: "V72 version 2 with a password", conf: second + pass, profile: Profile{Version: V2, Auth: Password, Secret: secret("s3cr3t")}},
		{name: "V73 version 2 with AH", conf: second + ah, profile: Profile{Version: V2, Auth: Header, Secret: secret("s3cr3t")}},
		{name: "V30 version 2 unicast", conf: second + uni, profile: Profile{Version: V2, Unicast: true, Neighbors: neighbor}},
		{name: "V8 V31 version 3", conf: calm},
		{name: "V33 version 3 unicast", conf: calm + uni, profile: Profile{Unicast: true, Neighbors: neighbor, Enforce: true}},
		{name: "V34 version 3 IPv6", conf: "advert_int 0.4\n" + six, v6: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			space := beside(t)
			interval, version := 400*time.Millisecond, 3
			if tt.profile.Version == V2 {
				interval, version = time.Second, 2
			}
			src, list := addr("192.0.2.1"), addrs("192.0.2.100")
			if tt.v6 {
				src, list = addr("fe80::1"), addrs("fe80::100", "2001:db8::100")
			}
			c, err := Listen("qa", tt.v6)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetFilter(Filter{Unicast: tt.profile.Unicast, AH: tt.profile.Auth == Header}); err != nil {
				t.Fatal(err)
			}
			l := &listener{t, c, &Judge{Profile: tt.profile, Addresses: list, Interval: interval, Own: map[netip.Addr]bool{src: true}, Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
			runKeepalived(t, space, version, tt.conf)
			for range 2 {
				if p, ok := l.next(20 * time.Second); !ok || p != 150 {
					t.Fatalf("heard priority %d, %v", p, ok)
				}
			}
			if tt.profile.Auth != Header {
				yieldsAndReturns(t, l, tt.profile, src, list, interval)
			}
		})
	}
}

func yieldsAndReturns(t *testing.T, l *listener, r Profile, src netip.Addr, list []netip.Addr, interval time.Duration) {
	t.Helper()
	s, err := NewSender(51, interval, list, src, r)
	if err != nil {
		t.Fatal(err)
	}
	send := func(priority uint8) {
		for _, a := range s.Adverts(time.Now(), priority) {
			if err := l.conn.Send(src, a.Dst, a.Message); err != nil {
				t.Fatal(err)
			}
		}
	}
	silent := 0
	for rounds := 0; silent < 2; rounds++ { // of what it says, some was on its way
		if rounds == 10 {
			t.Fatal("it did not yield")
		}
		send(200)
		if _, ok := l.next(interval); ok {
			silent = 0
		} else {
			silent++
		}
	}
	began := time.Now()
	send(0)
	skew := 106 * interval / 256
	if p, ok := l.next(skew + time.Second); !ok || p != 150 { // before its down interval, which is 1.37 s at least
		t.Fatalf("after a resignation: priority %d, %v", p, ok)
	}
	if took := time.Since(began); took < skew-time.Millisecond {
		t.Errorf("it took over after %v, before its skew of %v", took, skew)
	}
}
