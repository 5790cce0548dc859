package moves

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// NoResets is for flows whose entry is still to come: who does not know them lets their clients send again, also while
// control is away, which fetches the entries.
var NoResets = proof.Step{Name: "control is killed, then frozen, and a flow that nobody knows is not reset", Proof: noResets}

func noResets(t lab.T, a *lab.Article) {
	owner := a.Director(a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP))
	resets(t, a, "with control")
	owner.Control().Kill()
	resets(t, a, "without control")
	owner.Agent(t)
	a.AwaitReady(t, 30*time.Second)
	owner = a.Director(a.AwaitOwner(t, proof.OwnedWithin, lab.OuterVIP))
	control := owner.Control()
	if err := control.Freeze(); err != nil {
		t.Fatalf("%v", err)
	}
	resets(t, a, "while control is frozen")
	if err := control.Thaw(); err != nil {
		t.Fatalf("%v", err)
	}
}

// resets sends some segments of flows that nobody knows, and holds that none is reset for a while after.
func resets(t lab.T, a *lab.Article, when string) {
	t.Helper()
	from, to := a.Client.Addr(a.Outer), netip.MustParseAddr(lab.OuterVIP)
	var conn net.PacketConn
	var err error
	if outer := a.Client.Do(func() { conn, err = net.ListenPacket("ip4:tcp", from.String()) }); outer != nil || err != nil {
		t.Fatalf("a raw socket: %v, %v", outer, err)
	}
	defer conn.Close()
	const first, many = 1024, 5 // no port that the client's kernel gives to anybody
	for i := range uint16(many) {
		s := strange(from, to, first+i)
		if _, err := conn.WriteTo(s, &net.IPAddr{IP: to.AsSlice()}); err != nil {
			t.Fatalf("send a segment: %v", err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
	for b := make([]byte, 1500); ; {
		n, addr, err := conn.ReadFrom(b)
		if err != nil {
			return // nothing came in time
		}
		port := binary.BigEndian.Uint16(b[2:])
		if n >= 20 && addr.String() == lab.OuterVIP && port >= first && port < first+many && b[13]&flagRST != 0 {
			t.Errorf("%s: a flow from port %d that nobody knows was reset", when, port)
			return
		}
	}
}

// Flags of TCP.
const (
	flagRST = 0x04
	flagACK = 0x10
)

// strange is a segment of an HTTP connection that has begun elsewhere.
func strange(from, to netip.Addr, port uint16) []byte {
	s := make([]byte, 20, 24)
	binary.BigEndian.PutUint16(s, port)
	binary.BigEndian.PutUint16(s[2:], 80)
	binary.BigEndian.PutUint32(s[4:], 1000)
	binary.BigEndian.PutUint32(s[8:], 2000)
	s[12], s[13] = 5<<4, flagACK
	binary.BigEndian.PutUint16(s[14:], 1000) // window
	s = append(s, "more"...)
	pseudo := append(append(from.AsSlice(), to.AsSlice()...), 0, 6, 0, byte(len(s)))
	binary.BigEndian.PutUint16(s[16:], checksum(append(pseudo, s...)))
	return s
}

// checksum is the Internet's, of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
