package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// mute is a state machine that does nothing, so that what is measured is Raft.
type mute struct{}

func (mute) Apply(*raft.Log) any                 { return nil }
func (mute) Snapshot() (raft.FSMSnapshot, error) { return mute{}, nil }
func (mute) Restore(r io.ReadCloser) error       { return r.Close() }
func (mute) Persist(s raft.SnapshotSink) error   { return s.Close() }
func (mute) Release()                            {}

// peer is hashicorp/raft without quorate: what else a node of it has.
type peer struct {
	machine func() raft.FSM
	listen  func(b *testing.B, addr string) raft.StreamLayer // nil: Raft's own, TCP
}

// loaded is [peer] as who uses Raft for this would have it at least: connections have TLS, and a machine makes states of what
// is agreed, beginning with one. It has nothing else of what quorate does around that.
func loaded(b *testing.B, s fsm.State) peer {
	s.Index = 0 // of a log of its own
	s = s.Sealed()
	conf := selfSigned(b)
	return peer{
		machine: func() raft.FSM {
			m := newMachine(hclog.NewNullLogger())
			m.state.Store(&s)
			return m
		},
		listen: func(b *testing.B, addr string) raft.StreamLayer {
			l, err := tls.Listen("tcp", addr, conf)
			if err != nil {
				b.Fatal(err)
			}
			return secret{l, conf}
		},
	}
}

// secret is Raft's way to the network by TLS alone.
type secret struct {
	net.Listener
	conf *tls.Config
}

// Dial implements [raft.StreamLayer].
func (s secret) Dial(at raft.ServerAddress, limit time.Duration) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", string(at), s.conf)
}

// selfSigned is TLS as quorate has it, but that nobody looks who is at the other end.
func selfSigned(b *testing.B) *tls.Config {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAnyClientCert, InsecureSkipVerify: true,
	}
}

// begin begins a cluster of three with the same store that quorate has, and returns its leader.
func (p peer) begin(b *testing.B) *raft.Raft {
	b.Helper()
	var servers []raft.Server
	var nodes []*raft.Raft
	for i := range 3 {
		id, addr := raft.ServerID(fmt.Sprint(i)), freePort(b).String()
		servers, nodes = append(servers, raft.Server{ID: id, Address: raft.ServerAddress(addr)}), append(nodes, p.node(b, id, addr))
	}
	if err := nodes[0].BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		b.Fatal(err)
	}
	var leader *raft.Raft
	eventually(b, "plain Raft has a leader", func() error {
		for _, r := range nodes {
			if r.State() == raft.Leader {
				leader = r
				return nil
			}
		}
		return ErrNoLeader
	})
	return leader
}

func (p peer) node(b *testing.B, id raft.ServerID, addr string) *raft.Raft {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "raft")
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	s, err := logstore.Open(dir, hclog.NewNullLogger())
	if err != nil {
		b.Fatal(err)
	}
	logs, err := raft.NewLogCache(logCacheSize, s.Bare)
	if err != nil {
		b.Fatal(err)
	}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.NoLegacyTelemetry = id, hclog.NewNullLogger(), true
	r, err := raft.NewRaft(c, p.machine(), logs, s.Bare, s.Snapshots, p.transport(b, addr))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = r.Shutdown().Error()
		_ = s.Close()
	})
	return r
}

func (p peer) transport(b *testing.B, addr string) raft.Transport {
	b.Helper()
	if p.listen != nil {
		return raft.NewNetworkTransportWithLogger(p.listen(b, addr), 3, 10*time.Second, hclog.NewNullLogger())
	}
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	trans, err := raft.NewTCPTransportWithLogger(addr, at, 3, 10*time.Second, hclog.NewNullLogger())
	if err != nil {
		b.Fatal(err)
	}
	return trans
}

// Asked has Raft's leader append what comes over the network, as a program that uses Raft alone may do it at the least.
type Asked struct{ r *raft.Raft }

// Apply is called over the network.
func (a Asked) Apply(entry []byte, index *uint64) error {
	f := a.r.Apply(entry, 10*time.Second)
	err := f.Error()
	*index = f.Index()
	return err
}

// askedBy returns who asks a leader over TCP.
func askedBy(b *testing.B, leader *raft.Raft) *rpc.Client {
	b.Helper()
	s := rpc.NewServer()
	if err := s.Register(Asked{leader}); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", freePort(b).String())
	if err != nil {
		b.Fatal(err)
	}
	go s.Accept(l) // ends with the listener
	c, err := rpc.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = errors.Join(c.Close(), l.Close()) })
	return c
}
