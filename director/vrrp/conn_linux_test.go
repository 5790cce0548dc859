package vrrp

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair puts the test's goroutine into a network namespace of its own with a pair of interfaces, qa
// with 192.0.2.1 and qb, and returns a packet socket at qb.
func pair(t *testing.T) (fd int, to *unix.SockaddrLinklayer) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	for _, args := range []string{
		"link add qa address 02:00:00:00:00:01 type veth peer name qb address 02:00:00:00:00:02",
		"link set qa addrgenmode none", "link set qb addrgenmode none",
		"link set qb up", "link set qa up", "addr add 192.0.2.1/24 dev qa",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	settle(t)
	qb, err := net.InterfaceByName("qb")
	if err != nil {
		t.Fatal(err)
	}
	const all = unix.ETH_P_ALL&0xff<<8 | unix.ETH_P_ALL>>8
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	to = &unix.SockaddrLinklayer{Protocol: all, Ifindex: qb.Index}
	if err := unix.Bind(fd, to); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	return fd, to
}

// settle returns when both interfaces carry frames: until the kernel has seen the carrier it drops them.
func settle(t *testing.T) {
	t.Helper()
	for range 1000 {
		out, err := exec.Command("ip", "-br", "link", "show", "type", "veth").Output()
		if err == nil && strings.Count(string(out), " UP ") == 2 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the interfaces do not come up")
}

// here returns what puts a subtest's goroutine into the network namespace of its test.
func here(t *testing.T) func() {
	t.Helper()
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
	}
}

// capture returns the next frame of an IP protocol.
func capture(t *testing.T, fd int, protocol byte) []byte {
	t.Helper()
	for {
		b := make([]byte, 2048)
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("no frame of protocol %d: %v", protocol, err)
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if n > 34 && b[12] == 8 && b[13] == 0 && b[23] == protocol {
			return b[:n]
		}
	}
}

// The whole frame is keepalived's, but for the identification that the kernel chooses,
// and the checksum over it. The segment's switches are told by IGMP who listens, and who stops.
func TestV1_V5_V6_V69_TheFrameOnTheWireIsKeepaliveds(t *testing.T) {
	fd, _ := pair(t)
	c, err := Listen("qa", false)
	if err != nil {
		t.Fatal(err)
	}
	const igmp = 2
	join := capture(t, fd, igmp)
	if want := unhex(t, "2200f9eb0000000104000000e0000012"); !bytes.HasSuffix(join, want) {
		t.Errorf("after Listen %x, want an IGMPv3 join %x", join, want)
	}
	src := netip.MustParseAddr("192.0.2.1")
	sender, err := NewSender(51, time.Second, addrs("192.0.2.100"), src, Profile{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range sender.Adverts(time.Now(), 100) {
		if err := c.Send(src, a.Dst, a.Message); err != nil {
			t.Fatal(err)
		}
	}
	got := capture(t, fd, Protocol)
	want := unhex(t, "01005e000012020000000001080045c0002000010000ff701899c0000201e00000123133640100640572c0000264")
	if fold(add(0, got[14:34])) != 0xffff {
		t.Errorf("the IP checksum of %x is wrong", got)
	}
	for _, b := range [][]byte{got, want} {
		b[18], b[19], b[24], b[25] = 0, 0, 0, 0
	}
	if !bytes.Equal(got, want) {
		t.Errorf("sent %x\nwant %x", got, want)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for {
		leave := capture(t, fd, igmp)
		if bytes.HasSuffix(leave, unhex(t, "2200faeb0000000103000000e0000012")) {
			return
		}
	}
}

// frame is keepalived's advert from 192.0.2.2, edited. The IP checksum is made right after that.
func frame(t *testing.T, edit func(b []byte) []byte) []byte {
	t.Helper()
	b := unhex(t, "01005e000012020000000002080045c0002000010000ff701898c0000202e00000123133640100640571c0000264")
	if edit != nil {
		b = edit(b)
	}
	head := 14 + int(b[14]&0xf)*4
	b[24], b[25] = 0, 0
	s := ^fold(add(0, b[14:head]))
	b[24], b[25] = byte(s>>8), byte(s)
	return b
}

// What the socket hears.
func TestWhatIsReceived(t *testing.T) {
	fd, to := pair(t)
	c, err := Listen("qa", false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	type edit = func(b []byte) []byte
	resign := func(b []byte) []byte { return append(b[:34:34], unhex(t, "3133000100646971c0000264")...) }
	option := func(b []byte) []byte {
		b = append(b[:34:34], append(unhex(t, "94040000"), b[34:]...)...)
		b[14], b[17] = 0x46, 0x24
		return b
	}
	enter := here(t)
	unicasted := func(b []byte) []byte {
		copy(b, unhex(t, "020000000001"))
		copy(b[30:], unhex(t, "c0000201"))
		return b
	}
	long := func(b []byte) []byte {
		b = append(b, make([]byte, maxPayload(false))...)
		b[16], b[17] = byte((len(b)-14)>>8), byte(len(b)-14)
		return b
	}
	ours := Filter{}
	ours.VRIDs.Add(51)
	ours.VRIDs.Add(99) // which is the end
	others := Filter{}
	others.VRIDs.Add(50)
	others.VRIDs.Add(52)
	others.VRIDs.Add(19)
	others.VRIDs.Add(99)
	unicast, ah := Filter{Unicast: true}, Filter{AH: true}
	for _, tt := range []struct {
		name   string
		frame  edit
		filter Filter
		hears  bool
		why    Drop // it is rejected
	}{
		{name: "keepalived's", hears: true},
		{name: "padded to 60 bytes", frame: func(b []byte) []byte { return append(b, make([]byte, 60-len(b))...) }, hears: true},
		{name: "V6 don't fragment, another TOS", frame: func(b []byte) []byte { b[15], b[20] = 0, 0x40; return b }, hears: true},
		{name: "V4 a virtual MAC", frame: func(b []byte) []byte { copy(b[6:], unhex(t, "00005e000133")); return b }, hears: true},
		{name: "V6 a router alert option", frame: option, hears: true},
		{name: "a resignation", frame: resign, hears: true},
		{name: "V20 from a router beyond", frame: func(b []byte) []byte { b[22] = 254; return b }, why: DropTTL},
		{name: "V39 a first fragment", frame: func(b []byte) []byte { b[20] = 0x20; return b }},
		{name: "V37 to all hosts", frame: func(b []byte) []byte { b[33] = 1; b[5] = 1; return b }}, // another group's socket would hear it
		{name: "V37 to this host", frame: unicasted, why: DropDestination},
		{name: "V43 a resignation in a frame to this host", frame: func(b []byte) []byte {
			copy(b, unhex(t, "020000000001"))
			return resign(b)
		}, why: DropResignation},
		{name: "an advert in a frame to this host", frame: func(b []byte) []byte { copy(b, unhex(t, "020000000001")); return b }, hears: true},
		{name: "V36 the own address", frame: func(b []byte) []byte { b[29] = 1; return b }},
		{name: "V18 too short", frame: func(b []byte) []byte { b[17] = 27; return b[:41] }, why: DropLength},
		{name: "V18 too long", frame: long, why: DropLength},
		{name: "V23 a VRID in the set", filter: ours, hears: true},
		{name: "V23 a VRID in the set, with options", frame: option, filter: ours, hears: true},
		{name: "V23 a VRID out of the set", filter: others, why: DropVRID},
		{name: "V33 a unicast where there is one", frame: unicasted, filter: unicast, hears: true},
		{name: "V21 a unicast from a router beyond", frame: func(b []byte) []byte { b[22] = 64; return unicasted(b) }, filter: unicast, hears: true},
		{name: "a resignation in a unicast", frame: func(b []byte) []byte { return unicasted(resign(b)) }, filter: unicast, hears: true},
		{name: "V43 a resignation in a frame to this host, where there is a unicast", frame: func(b []byte) []byte {
			copy(b, unhex(t, "020000000001"))
			return resign(b)
		}, filter: unicast, why: DropResignation},
		{name: "V20 from a router beyond, where there is a unicast", frame: func(b []byte) []byte { b[22] = 254; return b }, filter: unicast, why: DropTTL},
		{name: "V73 AH", frame: asAH(t), filter: ah, hears: true},
		{name: "V73 AH that nobody asked for", frame: asAH(t)},
		{name: "without AH where there is one", filter: ah, hears: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter()
			if err := c.SetFilter(tt.filter); err != nil {
				t.Fatal(err)
			}
			got, why := passed(exchange(t, c, fd, to, frame(t, tt.frame)))
			if why != tt.why {
				t.Errorf("rejected for %q, want %q", why, tt.why)
			}
			if tt.hears != (len(got) == 1) || len(got) > 1 {
				t.Errorf("received %d: %+v", len(got), got)
			}
			if len(got) == 1 && tt.frame != nil && got[0].AH != nil && got[0].Payload[1] != 53 {
				t.Errorf("the message of %x is %x", got[0].AH, got[0].Payload)
			}
		})
	}
}

// passed returns what was received and not rejected, and why the rest was.
func passed(all []Datagram) (got []Datagram, why Drop) {
	for _, d := range all {
		if d.Rejected == "" {
			got = append(got, d)
		} else {
			why += d.Rejected
		}
	}
	return got, why
}

// asAH turns a frame into keepalived's with an Authentication Header, from another source.
func asAH(t *testing.T) func([]byte) []byte {
	return func([]byte) []byte {
		b := unhex(t, "01005e000012020000000002080045c0004000010000ff3318b6c0000202e000001270040000c0000202000000016417c04688d5da556e9ad16c213564010201b663c00002640000000000000000")
		return b
	}
}

// exchange puts a frame on the wire and returns what is received of it.
func exchange(t *testing.T, c Conn, fd int, to unix.Sockaddr, b []byte) []Datagram {
	t.Helper()
	end := frame(t, func(b []byte) []byte { b[35] = 99; return b })
	for _, b := range [][]byte{b, end} {
		if err := unix.Sendto(fd, b, 0, to); err != nil {
			t.Fatal(err)
		}
	}
	var got []Datagram
	ended := false
	for { // what came through another socket than the end may still wait
		d, ok, err := c.Receive(make([]byte, 2048))
		switch {
		case err != nil:
			t.Fatal(err)
		case ok && d.Rejected == "" && d.Payload[1] == 99:
			ended = true
		case ok:
			got = append(got, d)
		case ended:
			return got
		default:
			if err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAClosedConnEndsItsWait(t *testing.T) {
	pair(t)
	c, err := Listen("qa", false)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	time.Sleep(10 * time.Millisecond)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Wait returned no error")
		}
	case <-time.After(5 * time.Second):
		t.Error("Wait goes on")
	}
}
