package vrrp

import (
	"bytes"
	"encoding/hex"
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

// V1, V5, V6, V69: the whole frame is keepalived's, but for the identification that the kernel chooses,
// and the checksum over it. The segment's switches are told by IGMP who listens, and who stops.
func TestTheFrameOnTheWire(t *testing.T) {
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
	advert, err := Packet{51, 100, time.Second, addrs("192.0.2.100")}.Append(nil, src, Multicast(false), Pseudo)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(src, advert); err != nil {
		t.Fatal(err)
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

// V6, V18, V20, V37, V43: what the socket hears, and with what.
func TestWhatIsReceived(t *testing.T) {
	fd, to := pair(t)
	c, err := Listen("qa", false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resign := func(b []byte) []byte {
		copy(b[34:], unhex(t, "3133000100646971c0000264"))
		return b
	}
	type edit = func(b []byte) []byte
	for _, tt := range []struct {
		name  string
		frame edit
		drop  Drop
		deaf  bool // nothing may be received
	}{
		{name: "keepalived's"},
		{name: "padded to 60 bytes", frame: func(b []byte) []byte { return append(b, make([]byte, 60-len(b))...) }},
		{name: "don't fragment, another TOS", frame: func(b []byte) []byte { b[15], b[20] = 0, 0x40; return b }},
		{name: "a virtual MAC", frame: func(b []byte) []byte { copy(b[6:], unhex(t, "00005e000133")); return b }},
		{name: "a router alert option", frame: func(b []byte) []byte {
			b = append(b[:34:34], append(unhex(t, "94040000"), b[34:]...)...)
			b[14], b[17] = 0x46, 0x24
			return b
		}},
		{name: "a resignation", frame: resign},
		{name: "from a router beyond", frame: func(b []byte) []byte { b[22] = 254; return b }, drop: DropTTL},
		{name: "a first fragment", frame: func(b []byte) []byte { b[20] = 0x20; return b }, deaf: true},
		{name: "to all hosts", frame: func(b []byte) []byte { b[33] = 1; b[5] = 1; return b }, deaf: true},
		{name: "to this host", frame: func(b []byte) []byte {
			copy(b, unhex(t, "020000000001"))
			copy(b[30:], unhex(t, "c0000201"))
			return b
		}, drop: DropDestination},
		{name: "a resignation in a frame to this host", frame: func(b []byte) []byte {
			copy(b, unhex(t, "020000000001"))
			return resign(b)
		}, deaf: true},
		{name: "an advert in a frame to this host", frame: func(b []byte) []byte { copy(b, unhex(t, "020000000001")); return b }},
		{name: "the own address", frame: func(b []byte) []byte { b[29] = 1; return b }, deaf: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, b := range [][]byte{frame(t, tt.frame), frame(t, func(b []byte) []byte { b[35] = 99; return b })} {
				if err := unix.Sendto(fd, b, 0, to); err != nil {
					t.Fatal(err)
				}
			}
			var got []Datagram
			for len(got) == 0 || got[len(got)-1].Payload[1] != 99 { // which is the end
				if err := c.Wait(); err != nil {
					t.Fatal(err)
				}
				d, ok, err := c.Receive(make([]byte, 2048))
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					got = append(got, d)
				}
			}
			got = got[:len(got)-1]
			if tt.deaf {
				if len(got) > 0 {
					t.Errorf("received %+v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("received %d", len(got))
			}
			if _, _, drop := Parse(got[0]); drop != tt.drop {
				t.Errorf("drop %q, want %q: %s", drop, tt.drop, hex.EncodeToString(got[0].Payload))
			}
		})
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
