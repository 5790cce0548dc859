package vrrp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hardware addresses of the multicast groups (RFC 1112, section 6.4, and RFC 2464, section 7).
var (
	groupMAC4 = [6]byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}
	groupMAC6 = [6]byte{0x33, 0x33, 0x00, 0x00, 0x00, 0x12}
)

// VirtualMAC returns the MAC address of a virtual router (RFC 9568, section 7.3).
func VirtualMAC(vrid uint8, v6 bool) [6]byte {
	family := byte(1)
	if v6 {
		family = 2
	}
	return [6]byte{0x00, 0x00, 0x5e, 0x00, family, vrid}
}

// IsVirtualMAC reports whether a MAC address is a virtual router's.
func IsVirtualMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && bytes.Equal(mac[:4], []byte{0x00, 0x00, 0x5e, 0x00})
}

// frames is an outlet that makes the frames itself.
type frames struct {
	file *os.File
	raw  syscall.RawConn
	v6   bool
	mac  [6]byte
	id   uint16 // of the next IPv4 packet
	out  []byte
	to   unix.SockaddrLinklayer
}

// Through opens an outlet of an interface and family in the caller's network namespace, whose adverts leave
// from a MAC address of their own: a virtual router's. It receives nothing. It sends to the multicast
// group alone: the MAC address of a host is not asked for.
//
// Frames are made here, since an interface with that MAC address is up only where the router is Active, and
// the first advert has to leave before that.
func Through(iface string, v6 bool, mac [6]byte) (Outlet, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("send through %s: %w", iface, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // protocol 0 receives nothing
	if err != nil {
		return nil, fmt.Errorf("send through %s: open a packet socket: %w", iface, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("send through %s: set SO_PRIORITY: %w", iface, err)
	}
	o := &frames{file: os.NewFile(uintptr(fd), "vrrp frames "+iface), v6: v6, mac: mac}
	o.to = unix.SockaddrLinklayer{Ifindex: ifi.Index, Halen: 6}
	if o.raw, err = o.file.SyscallConn(); err != nil {
		return nil, fmt.Errorf("send through %s: %w", iface, errors.Join(err, o.file.Close()))
	}
	return o, nil
}

// Send implements [Outlet].
func (o *frames) Send(src, dst netip.Addr, advert []byte) error {
	if dst != Multicast(o.v6) {
		return fmt.Errorf("send advert to %v: with a virtual MAC address adverts go to the multicast group alone", dst)
	}
	o.build(src, dst, advert)
	var failed error
	err := o.raw.Control(func(fd uintptr) { failed = unix.Sendto(int(fd), o.out, unix.MSG_DONTWAIT, &o.to) })
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("send advert from %v to %v: %w", src, dst, err)
	}
	return nil
}

// build makes the frame of an advert.
func (o *frames) build(src, dst netip.Addr, advert []byte) {
	group, kind := groupMAC4, uint16(unix.ETH_P_IP)
	if o.v6 {
		group, kind = groupMAC6, unix.ETH_P_IPV6
	}
	b := append(append(o.out[:0], group[:]...), o.mac[:]...)
	b = binary.BigEndian.AppendUint16(b, kind)
	if o.v6 {
		b = append(b, 0x60|trafficClass>>4, trafficClass<<4&0xff, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(advert)))
		b = append(b, Protocol, TTL)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		o.out = append(b, advert...)
		return
	}
	o.id++
	b = append(b, 0x45, trafficClass)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(advert)))
	b = binary.BigEndian.AppendUint16(b, o.id)
	b = append(b, 0, 0, TTL, Protocol, 0, 0)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	head := b[len(b)-20:]
	binary.BigEndian.PutUint16(head[10:], ^fold(add(0, head)))
	o.out = append(b, advert...)
}

// Close implements [Outlet].
func (o *frames) Close() error { return o.file.Close() }
