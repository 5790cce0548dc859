package interop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// A Kind is what a captured frame is.
type Kind int

// The kinds of frames that the requirements speak of.
const (
	Other      Kind = iota
	Advert          // VRRP
	Gratuitous      // an ARP request for the sender's own address, or an unsolicited neighbour advertisement
	Membership      // an IGMPv3 or MLDv2 report
)

// A Frame is a captured frame, decoded by nothing of quorate's. The fields are those of its kind.
type Frame struct {
	At       time.Time
	Kind     Kind
	From, To net.HardwareAddr
	Src, Dst netip.Addr
	TTL      int
	TOS      int
	Bytes    []byte // of the whole frame

	// Of an advert.
	Version, Type, VRID, Priority, Auth int
	Interval                            time.Duration
	Addresses                           []netip.Addr
	Reserved                            int
	VRRP                                []byte

	// Of an announcement.
	Target    netip.Addr
	TargetMAC net.HardwareAddr // in ARP, what the sender does not know; in IPv6 the option
	SenderMAC net.HardwareAddr
	Op        int
	Flags     byte
	Ours      bool // it left quorate's host, in cells where its hardware address does not tell

	Joins, Leaves []netip.Addr // of a membership report
}

// ReadCapture reads a pcap file. A frame that is still being written ends it.
func ReadCapture(path string) ([]Frame, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 24)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if magic := binary.LittleEndian.Uint32(head); magic != 0xa1b2c3d4 {
		return nil, fmt.Errorf("%s: magic %x", path, magic)
	}
	var frames []Frame
	for {
		rec := make([]byte, 16)
		if _, err := io.ReadFull(f, rec); err != nil {
			return frames, ignoreEnd(err)
		}
		body := make([]byte, binary.LittleEndian.Uint32(rec[8:]))
		if _, err := io.ReadFull(f, body); err != nil {
			return frames, ignoreEnd(err)
		}
		at := time.Unix(int64(binary.LittleEndian.Uint32(rec)), int64(binary.LittleEndian.Uint32(rec[4:]))*1000)
		frames = append(frames, decode(at, body))
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func decode(at time.Time, b []byte) Frame {
	f := Frame{At: at, Bytes: b}
	if len(b) < 14 {
		return f
	}
	f.To, f.From = b[:6], b[6:12]
	switch body := b[14:]; binary.BigEndian.Uint16(b[12:]) {
	case 0x0806:
		f.arp(body)
	case 0x0800:
		f.ipv4(body)
	case 0x86dd:
		f.ipv6(body)
	}
	return f
}

func (f *Frame) arp(b []byte) {
	if len(b) < 28 {
		return
	}
	f.Op, f.SenderMAC, f.TargetMAC = int(binary.BigEndian.Uint16(b[6:])), b[8:14], b[18:24]
	f.Src, f.Target = netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	// A kernel answers a request for an address that it has too, to the sender alone: that announces nothing.
	if toOne := f.To[0]&1 == 0; f.Src == f.Target && (f.Op == 1 || !toOne) {
		f.Kind = Gratuitous
	}
}

func (f *Frame) ipv4(b []byte) {
	if len(b) < 20 {
		return
	}
	size := int(b[0]&0xf) * 4
	total := min(int(binary.BigEndian.Uint16(b[2:])), len(b))
	if total < size {
		return
	}
	f.TOS, f.TTL = int(b[1]), int(b[8])
	f.Src, f.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	switch body := b[size:total]; b[9] {
	case 112:
		f.vrrp(body, 4)
	case 2:
		f.igmp(body)
	}
}

func (f *Frame) ipv6(b []byte) {
	if len(b) < 40 {
		return
	}
	f.TOS, f.TTL = int(binary.BigEndian.Uint16(b)>>4&0xff), int(b[7])
	f.Src, f.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	next, body := b[6], b[40:min(len(b), 40+int(binary.BigEndian.Uint16(b[4:])))]
	if next == 0 && len(body) > 8 { // hop-by-hop, as MLD has it
		next, body = body[0], body[min(len(body), 8+8*int(body[1])):]
	}
	switch {
	case next == 112:
		f.vrrp(body, 16)
	case next != 58 || len(body) < 8:
	case body[0] == 136 && len(body) >= 24:
		f.Flags, f.Target = body[4], netip.AddrFrom16([16]byte(body[8:24]))
		if len(body) >= 32 && body[24] == 2 {
			f.TargetMAC = body[26:32]
		}
		if f.Dst == netip.IPv6LinkLocalAllNodes() {
			f.Kind = Gratuitous
		}
	case body[0] == 143:
		f.records(body, 16)
	}
}

func (f *Frame) vrrp(b []byte, size int) {
	if len(b) < 8 {
		return
	}
	f.Kind, f.VRRP = Advert, b
	f.Version, f.Type, f.VRID, f.Priority = int(b[0]>>4), int(b[0]&0xf), int(b[1]), int(b[2])
	if f.Version == 2 {
		f.Auth, f.Interval = int(b[4]), time.Duration(b[5])*time.Second
	} else {
		f.Reserved = int(b[4] >> 4)
		f.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * 10 * time.Millisecond
	}
	for i := 8; i+size <= len(b) && len(f.Addresses) < int(b[3]); i += size {
		a, _ := netip.AddrFromSlice(b[i : i+size])
		f.Addresses = append(f.Addresses, a)
	}
}

func (f *Frame) igmp(b []byte) {
	if len(b) >= 8 && b[0] == 0x22 {
		f.records(b, 4)
	}
}

// records reads the group records of a report: what is excluded by nobody is joined.
func (f *Frame) records(b []byte, size int) {
	f.Kind = Membership
	n := int(binary.BigEndian.Uint16(b[6:]))
	for b = b[8:]; n > 0 && len(b) >= 4+size; n-- {
		a, _ := netip.AddrFromSlice(b[4 : 4+size])
		switch b[0] {
		case 2, 4: // the filter is, or becomes, "exclude none"
			f.Joins = append(f.Joins, a)
		case 3, 6: // include none, or block
			f.Leaves = append(f.Leaves, a)
		}
		b = b[min(len(b), 4+size+size*int(binary.BigEndian.Uint16(b[2:]))+4*int(b[1])):]
	}
}

// String is a frame in a line.
func (f Frame) String() string {
	at := f.At.Format("15:04:05.000000")
	switch f.Kind {
	case Advert:
		return fmt.Sprintf("%s advert of %v, priority %d, every %v, %v", at, f.Src, f.Priority, f.Interval, f.Addresses)
	case Gratuitous:
		return fmt.Sprintf("%s announcement of %v by %v", at, f.Target, f.From)
	case Membership:
		return fmt.Sprintf("%s report of %v: joins %v, leaves %v", at, f.Src, f.Joins, f.Leaves)
	}
	return fmt.Sprintf("%s %v to %v", at, f.From, f.To)
}
