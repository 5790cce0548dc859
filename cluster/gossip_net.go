package cluster

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/cluster/port"
)

// gossipNet is memberlist's way to the network, with bounds on what comes in: memberlist's own takes any number of
// connections, and for each packet 64 KiB of memory, before it knows whose they are.
type gossipNet struct {
	packets   *net.UDPConn
	listener  net.Listener
	member    func(netip.Addr) bool // whether a member has that address
	strangers *port.Strangers
	log       hclog.Logger

	received chan *memberlist.Packet
	streams  *port.Queue
	closed   chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// gossipBuffer is what the kernel is asked to keep of packets, at most, as memberlist does.
const gossipBuffer = 2 << 20

// longestPause is how long a socket that fails again and again is left alone.
const longestPause = time.Second

// listenGossip opens the gossip port, and takes what comes until [gossipNet.Shutdown].
func listenGossip(at netip.AddrPort, member func(netip.Addr) bool, s *port.Strangers, log hclog.Logger) (*gossipNet, error) {
	packets, listener, err := port.ListenGossip(at)
	if err != nil {
		return nil, err
	}
	_ = packets.SetReadBuffer(gossipBuffer) // what there is has to do
	g := &gossipNet{
		packets: packets, listener: listener, member: member, strangers: s, log: hush.Logger(log),
		received: make(chan *memberlist.Packet), streams: port.NewQueue(nil), closed: make(chan struct{}),
	}
	var in inlet
	room := make([]byte, 64<<10)
	g.running.Go(func() { g.again("receive on the gossip port", func() error { return g.receive(&in, room) }) })
	g.running.Go(func() { g.again("accept on the gossip port", g.accept) })
	return g, nil
}

// again takes from a socket until all is closed. After an error it waits, longer the more there were one after the other.
func (g *gossipNet) again(doing string, take func() error) {
	for errs := 0; ; {
		err := take()
		if err == nil {
			errs = 0
			continue
		}
		select {
		case <-g.closed:
			return
		default:
		}
		g.log.Error(doing, "err", err) // out of file descriptors, mostly: it passes
		select {
		case <-g.closed:
			return
		case <-time.After(min(inletSpan<<min(errs, 10), longestPause)):
		}
		errs++
	}
}

// receive passes a packet on. One that is not is counted, and costs no more than it takes to read it.
func (g *gossipNet) receive(in *inlet, room []byte) error {
	n, from, err := g.packets.ReadFromUDPAddrPort(room)
	if err != nil {
		return err
	}
	now := time.Now()
	take, rest := in.take(now, g.member(from.Addr()))
	switch {
	case n == 0:
	case !take:
		g.strangers.Count(port.TooMuchGossip)
	default:
		p := &memberlist.Packet{Buf: append([]byte(nil), room[:n]...), From: net.UDPAddrFromAddrPort(from), Timestamp: now}
		select {
		case g.received <- p:
		case <-g.closed: // the next read says so
		}
	}
	if rest > 0 {
		time.Sleep(rest)
	}
	return nil
}

// accept passes a connection on, if there is a place for it.
func (g *gossipNet) accept() error {
	c, err := g.listener.Accept()
	if err != nil {
		return err
	}
	leave, ok := g.strangers.Enter(c.RemoteAddr())
	if !ok {
		if g.strangers.News(port.TooMany, c.RemoteAddr()) {
			g.log.Warn("connection to the gossip port sent away", "from", c.RemoteAddr(), "err", port.TooMany)
		}
		port.Abort(c)
		return nil
	}
	if p := (&placed{c, leave}); !g.streams.Put(p) {
		_ = p.Close() // nobody reads them any more
	}
	return nil
}

// FinalAdvertiseAddr implements [memberlist.Transport].
func (g *gossipNet) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	at := g.packets.LocalAddr().(*net.UDPAddr)
	return at.IP, at.Port, nil
}

// WriteTo implements [memberlist.Transport].
func (g *gossipNet) WriteTo(b []byte, to string) (time.Time, error) {
	at, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return time.Time{}, err
	}
	_, err = g.packets.WriteTo(b, at)
	return time.Now(), err
}

// WriteToAddress implements [memberlist.NodeAwareTransport]: whose address it is plays no part.
func (g *gossipNet) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return g.WriteTo(b, to.Addr)
}

// PacketCh implements [memberlist.Transport].
func (g *gossipNet) PacketCh() <-chan *memberlist.Packet { return g.received }

// DialTimeout implements [memberlist.Transport].
func (g *gossipNet) DialTimeout(to string, limit time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", to, limit)
}

// DialAddressTimeout implements [memberlist.NodeAwareTransport].
func (g *gossipNet) DialAddressTimeout(to memberlist.Address, limit time.Duration) (net.Conn, error) {
	return g.DialTimeout(to.Addr, limit)
}

// StreamCh implements [memberlist.Transport].
func (g *gossipNet) StreamCh() <-chan net.Conn { return g.streams.Taken() }

// Shutdown implements [memberlist.Transport].
func (g *gossipNet) Shutdown() error {
	var err error
	g.once.Do(func() {
		close(g.closed)
		err = errors.Join(g.streams.Close(), g.packets.Close(), g.listener.Close())
		g.running.Wait()
	})
	return err
}

var _ memberlist.NodeAwareTransport = (*gossipNet)(nil)

// placed is a connection that gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
