package cluster

import (
	"net"
	"sync"

	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/cluster/port"
)

// boundedGossip is memberlist's own transport with a bound on the connections that come in: memberlist takes any number,
// and reads from each before it knows whose it is.
type boundedGossip struct {
	*memberlist.NetTransport

	strangers *port.Strangers
	streams   *port.Queue
	stopped   chan struct{} // closed when nothing comes in
	once      sync.Once
}

func newBoundedGossip(c *memberlist.Config, s *port.Strangers) (*boundedGossip, error) {
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	b := &boundedGossip{NetTransport: t, strangers: s, streams: port.NewQueue(nil), stopped: make(chan struct{})}
	go b.run()
	return b, nil
}

// run passes on what comes in. At the end it goes on taking until memberlist's listener, which waits for that, has ended.
func (b *boundedGossip) run() {
	for {
		select {
		case <-b.stopped:
			return
		case c := <-b.NetTransport.StreamCh():
			leave, ok := b.strangers.Enter(c.RemoteAddr())
			if !ok {
				port.Abort(c)
				continue
			}
			if p := (&placed{c, leave}); !b.streams.Put(p) {
				_ = p.Close() // nobody reads them any more
			}
		}
	}
}

// StreamCh implements [memberlist.Transport].
func (b *boundedGossip) StreamCh() <-chan net.Conn { return b.streams.Taken() }

// Shutdown implements [memberlist.Transport].
func (b *boundedGossip) Shutdown() error {
	var err error
	b.once.Do(func() {
		_ = b.streams.Close()
		err = b.NetTransport.Shutdown()
		close(b.stopped)
	})
	return err
}

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
