package ipvs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Conn is one entry of the connection table.
type Conn struct {
	Protocol uint8 // TCP or UDP; 0 for the template of a firewall mark
	Client   netip.AddrPort
	Virtual  netip.AddrPort
	Real     netip.AddrPort
	State    uint16 // as the kernel numbers them: 1 is ESTABLISHED, of TCP
	Expires  uint32 // seconds
	Forward  Forward
	Mark     uint32 // of the service, if it is one of a firewall mark
}

// ConnKey is what tells a connection from all others.
type ConnKey struct {
	Protocol        uint8
	Client, Virtual netip.AddrPort
}

// Key returns what tells the connection from all others.
func (c Conn) Key() ConnKey { return ConnKey{c.Protocol, c.Client, c.Virtual} }

// The states of a TCP connection that both sides have opened, that ends, or is over (include/net/ip_vs.h).
const (
	established = 1
	finWait     = 4
	timeWait    = 5
	closed      = 6
	closeWait   = 7
	lastAck     = 8
)

// tcpStates are the TCP states by number.
var tcpStates = [...]string{"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK"}

// Ended reports whether a connection is over and only waits to be forgotten (TIME_WAIT, CLOSE).
func (c Conn) Ended() bool {
	return c.Protocol == TCP && (c.State == timeWait || c.State == closed)
}

// Established reports whether a connection is one of TCP that both sides have opened and neither has closed.
func (c Conn) Established() bool { return c.Protocol == TCP && c.State == established }

// Ends reports whether one of a connection's ends has closed it, or both have. The kernel counts it as inactive: with direct
// routing, where it sees the client's packets alone, nearly all that are done stay so for two minutes.
func (c Conn) Ends() bool {
	return c.Protocol == TCP && (c.State == finWait || c.State == closeWait || c.State == lastAck)
}

// restsAt is how many of the 120 s of TIME_WAIT are left at most of a connection that nobody sends on any more: in the first
// seconds, what was lost on the way may be sent again through its entry.
const restsAt = 115

// Rests reports whether a connection has been over for long enough that nobody sends on it, and none was reset: TIME_WAIT.
func (c Conn) Rests() bool {
	return c.Protocol == TCP && c.State == timeWait && c.Expires <= restsAt
}

// Forgotten returns what has to be injected in order to forget the connections that rest here and do not live elsewhere. Its
// entries take their places, and have the next packet treated like one of an unknown flow. Otherwise that packet, of a connection
// which the client has begun since from the same port, would go to the real server of the old one, which resets it. Only
// connections to [QuietAddresses] may be forgotten: from any other address this host would send the reset itself.
func Forgotten(own, live []Conn) []Conn {
	lives := make(map[ConnKey]bool, len(live))
	for _, c := range live {
		lives[c.Key()] = true
	}
	var out []Conn
	for _, c := range own {
		if c.Rests() && !lives[c.Key()] {
			c.Real, c.Forward, c.State, c.Expires = c.Virtual, Local, timeWait, 1 // in another state a SYN would not begin anew
			out = append(out, c)
		}
	}
	return out
}

// templateStates are the states of a template by number.
var templateStates = [...]string{"NONE", "ASSURED"}

// Template reports whether the entry is not a connection, but persistence: the real server that a
// client's connections go to.
func (c Conn) Template() bool { return c.Client.Port() == 0 }

// ParseConns reads a connection table as /proc/net/ip_vs_conn shows it. What is there does not say
// how packets are forwarded: see [Table.Resolve]. Entries of other protocols than TCP and UDP, and
// states that only exist for an instant, are left out.
func ParseConns(r io.Reader) ([]Conn, error) {
	var conns []Conn
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "Pro" {
			continue
		}
		conn, ok, err := parseConn(fields)
		if err != nil {
			return nil, fmt.Errorf("ipvs connection %q: %w", lines.Text(), err)
		}
		if ok {
			conns = append(conns, conn)
		}
	}
	return conns, lines.Err()
}

// parseConn reads the fields of one line. It reports false for an entry that is left out.
func parseConn(f []string) (c Conn, ok bool, err error) {
	if len(f) < 9 {
		return c, false, io.ErrUnexpectedEOF
	}
	c.Protocol, ok = map[string]uint8{"TCP": TCP, "UDP": UDP, "IP": 0}[f[0]]
	if !ok {
		return c, false, nil
	}
	for i, field := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Real} {
		if *field, err = parseHex(f[1+2*i], f[2+2*i]); err != nil {
			return c, false, err
		}
	}
	expires, err := strconv.ParseUint(f[8], 10, 64)
	if err != nil {
		return c, false, err
	}
	if expires <= math.MaxUint32 { // else it is due, or has no timer yet: the kernel shows a number below zero so
		c.Expires = uint32(expires)
	}
	names := tcpStates[:]
	switch {
	case c.Template():
		names = templateStates[:]
	case c.Protocol == UDP:
		names = []string{"UDP"}
	}
	state := slices.Index(names, f[7])
	c.State = uint16(max(state, 0))
	return c, state >= 0, nil
}

// parseHex reads an address and a port, in hexadecimal.
func parseHex(addr, port string) (netip.AddrPort, error) {
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if strings.Contains(addr, ":") {
		a, err := netip.ParseAddr(addr)
		return netip.AddrPortFrom(a, uint16(p)), err
	}
	a, err := strconv.ParseUint(addr, 16, 32)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(a))
	return netip.AddrPortFrom(netip.AddrFrom4(b), uint16(p)), nil
}

// Resolve returns the connections with what only the table knows: the forwarding method, the mark,
// and for templates the whole time of persistence. Connections of no service of the table are left
// out.
func (t Table) Resolve(conns []Conn) []Conn {
	marks := make(map[netip.Addr]Key)
	for key, entry := range t {
		for addr := range entry.Dests {
			if old, ok := marks[addr.Addr()]; key.Mark != 0 && (!ok || key.Compare(old) < 0) {
				marks[addr.Addr()] = key
			}
		}
	}
	out := make([]Conn, 0, len(conns))
	for _, c := range conns {
		key, ok := t.serviceOf(c, marks)
		if !ok {
			continue
		}
		entry := t[key]
		if c.Forward, ok = entry.forward(c.Real); !ok {
			continue
		}
		c.Mark = key.Mark
		if c.Template() {
			c.Expires = max(c.Expires, entry.Timeout)
		}
		out = append(out, c)
	}
	return out
}

// MayHave returns which services the connections may belong to: [Table.Resolve] needs the destinations of no other ones. Any
// service by mark may have them, since only the destinations tell.
func MayHave(conns []Conn) func(Key) bool {
	named := make(map[Key]bool)
	for _, c := range conns {
		for _, port := range []uint16{c.Virtual.Port(), 0} {
			named[Key{Protocol: c.Protocol, Address: netip.AddrPortFrom(c.Virtual.Addr(), port)}] = true
		}
	}
	return func(key Key) bool { return key.Mark != 0 || named[key] }
}

// serviceOf returns the service that a connection belongs to.
func (t Table) serviceOf(c Conn, marks map[netip.Addr]Key) (Key, bool) {
	if c.Protocol == 0 {
		key := Key{Mark: binary.BigEndian.Uint32(c.Virtual.Addr().AsSlice()), IPv6: c.Virtual.Addr().Is6()}
		_, ok := t[key]
		return key, ok && key.Mark != 0
	}
	for _, port := range []uint16{c.Virtual.Port(), 0} {
		key := Key{Protocol: c.Protocol, Address: netip.AddrPortFrom(c.Virtual.Addr(), port)}
		if _, ok := t[key]; ok {
			return key, true
		}
	}
	key, ok := marks[c.Real.Addr()]
	return key, ok
}

// forward returns how packets go to a real server. One that is no longer in the service is
// forwarded to as all others are, if they agree.
func (e Entry) forward(addr netip.AddrPort) (Forward, bool) {
	for _, port := range []uint16{addr.Port(), 0} {
		if d, ok := e.Dests[netip.AddrPortFrom(addr.Addr(), port)]; ok {
			return d.Forward, true
		}
	}
	var all Forward
	first := true
	for _, d := range e.Dests {
		if !first && d.Forward != all {
			return 0, false
		}
		all, first = d.Forward, false
	}
	return all, !first
}

// Flags of a connection in a sync message.
const (
	connNoOutput = 0x0080 // answers do not come through this host
	connInactive = 0x0100
	connTemplate = 0x1000
)

const (
	syncHeader  = 8
	syncVersion = 1
	maxSync     = 1400 // bytes of a message, so that it is one packet anywhere
)

// EncodeSync returns the connections as messages of version 1 of the kernel's sync protocol, each
// at most size bytes long (0: 1,400). A connection whose addresses are not of one family is left
// out, as the protocol cannot say it.
func EncodeSync(syncID uint8, conns []Conn, size int) [][]byte {
	if size < syncHeader+72 || size > maxSync {
		size = maxSync
	}
	var messages [][]byte
	var message []byte
	count := 0
	flush := func() {
		if count > 0 {
			binary.BigEndian.PutUint16(message[2:], uint16(len(message)))
			message[4] = uint8(count)
			messages = append(messages, message)
		}
		message, count = append(make([]byte, 0, size), 0, syncID, 0, 0, 0, syncVersion, 0, 0), 0
	}
	flush()
	for _, c := range conns {
		for _, flags := range c.syncFlags() {
			entry := c.syncEntry(flags)
			if len(message)+len(entry) > size {
				flush()
			}
			message = append(message, entry...)
			count++
		}
	}
	flush()
	return messages
}

// Syncs reports whether the sync protocol can describe the connection: its addresses are of one family.
func (c Conn) Syncs() bool {
	is6 := c.Client.Addr().Is6()
	valid := c.Client.IsValid() && c.Virtual.IsValid() && c.Real.IsValid()
	return valid && c.Virtual.Addr().Is6() == is6 && c.Real.Addr().Is6() == is6
}

// syncFlags returns the flags of each entry that describes the connection. One that ends takes two entries, active and then
// inactive: an inactive one never replaces the entry of an earlier connection from the same port, but it does make an active
// one inactive.
func (c Conn) syncFlags() []uint32 {
	if !c.Syncs() {
		return nil
	}
	flags := uint32(c.Forward)
	if c.Forward != NAT {
		flags |= connNoOutput
	}
	switch {
	case c.Template():
		return []uint32{flags | connTemplate}
	case c.Ends():
		return []uint32{flags, flags | connInactive}
	}
	return []uint32{flags}
}

// syncEntry returns the connection as an entry of a sync message.
func (c Conn) syncEntry(flags uint32) (b []byte) {
	is6 := c.Client.Addr().Is6()
	kind, size := uint8(0), uint16(36)
	if is6 {
		kind, size = 1, 72
	}
	b = append(b, kind, c.Protocol)
	b = binary.BigEndian.AppendUint16(b, size)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint16(b, c.State)
	for _, addr := range []netip.AddrPort{c.Client, c.Virtual, c.Real} {
		b = binary.BigEndian.AppendUint16(b, addr.Port())
	}
	b = binary.BigEndian.AppendUint32(b, c.Mark)
	b = binary.BigEndian.AppendUint32(b, max(c.Expires, 1))
	for _, addr := range []netip.AddrPort{c.Client, c.Virtual, c.Real} {
		b = append(b, addr.Addr().AsSlice()...)
	}
	return b
}

// socketQueue finds a UDP socket's queue in /proc/net/udp.
func socketQueue(table []byte, local netip.AddrPort) (queued, drops uint64, ok bool) {
	a := local.Addr().As4()
	want := fmt.Sprintf("%08X:%04X", native.Uint32(a[:]), local.Port())
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) < 13 || f[1] != want {
			continue
		}
		_, rx, _ := strings.Cut(f[4], ":")
		q, err1 := strconv.ParseUint(rx, 16, 64)
		d, err2 := strconv.ParseUint(f[12], 10, 64)
		if err1 == nil && err2 == nil {
			queued, drops, ok = queued+q, drops+d, true
		}
	}
	return queued, drops, ok
}
