package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// envPuppet has the test binary be one node, in a process of its own that can be killed and frozen.
const envPuppet = "QUORATE_TEST_PUPPET"

// puppetBeat is the heartbeat of puppets: short, since that they lose their leader on a busy machine is one more fault.
const puppetBeat = 200 * time.Millisecond

// puppetCords are what a puppet is told at its start.
type puppetCords struct {
	Name, DataDir, Socket string
	Bind, Gossip          netip.AddrPort
	Stale                 bool // reads show what the node has, and say that it is all
}

// deed is what a puppet does at its socket, and result what came of it.
type deed struct {
	Verb  string   // set, get, cut, transfer, leader, asked
	Key   int      // of a register
	Value string   // of set
	Cut   []string // addresses
}

type result struct {
	Value   string
	Error   string
	Nothing bool // the deed surely had no effect
}

// bePuppet is the main function of a puppet.
func bePuppet(text string) {
	var s puppetCords
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		panic(err)
	}
	n, err := Open(Config{Name: s.Name, DataDir: s.DataDir, Bind: s.Bind, Gossip: s.Gossip, Heartbeat: puppetBeat, Version: "test", MinLevel: 1, MaxLevel: 2})
	if err != nil {
		panic(err)
	}
	network := &gates{}
	n.dialer.Connect = network.connect
	_ = os.Remove(s.Socket)
	l, err := net.Listen("unix", s.Socket)
	if err != nil {
		panic(err)
	}
	go func() {
		panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var d deed
			if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
				panic(err)
			}
			_ = json.NewEncoder(w).Encode(perform(r.Context(), n, network, d, s.Stale))
		})))
	}()
	panic(n.Run(context.Background()))
}

func perform(ctx context.Context, n *Node, g *gates, d deed, stale bool) result {
	var err error
	switch d.Verb {
	case "set":
		err = n.Propose(ctx, fsm.SetVerdicts{Verdicts: map[fsm.ServerKey]fsm.Verdict{register(d.Key): {Health: fsm.Up, Cause: d.Value}}})
	case "get":
		if !stale {
			_, err = n.CatchUp(ctx)
		}
		if err == nil {
			return result{Value: n.State().Verdict(register(d.Key)).Cause}
		}
	case "cut":
		g.set(d.Cut)
	case "transfer":
		err = n.LeadershipTransfer(ctx)
	case "leader":
		return result{Value: n.Leader()}
	case "asked":
		return result{Value: fmt.Sprint(n.asked())}
	}
	if err != nil {
		return result{Error: err.Error(), Nothing: errors.Is(err, ErrNoLeader) && !errors.Is(err, ErrUncertain)}
	}
	return result{}
}

// puppet is a node in a process of its own.
type puppet struct {
	puppetCords

	cmd  *exec.Cmd
	http *http.Client
}

// puppets are three nodes of a cluster with a service of so many servers: a register each.
func puppets(t *testing.T, registers int, stale bool) []*puppet {
	t.Helper()
	ns := three(t, func(c *Config) { c.MaxLevel = 2 })
	web := fsm.Service{Name: "web"}
	for i := range registers {
		web.Servers = append(web.Servers, fsm.Server{Address: register(i).Server})
	}
	eventually(t, "there are registers", func() error {
		err := ns[0].Propose(t.Context(), fsm.ChangeConfig{Delta: fsm.Delta{Services: map[string]*fsm.Service{"web": &web}}})
		if errors.Is(err, fsm.ErrStale) {
			return nil // it took effect though nobody knew
		}
		return err
	})
	eventually(t, "all have the registers", same(ns...))
	var ps []*puppet
	for _, n := range ns {
		n.kill()
		p := &puppet{puppetCords: puppetCords{Name: n.cfg.Name, DataDir: n.cfg.DataDir, Socket: filepath.Join(shortDir(t), "s"), Bind: n.cfg.Bind, Gossip: n.cfg.Gossip, Stale: stale}}
		p.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", p.Socket)
		}}}
		ps = append(ps, p)
	}
	for _, p := range ps {
		p.start(t)
		t.Cleanup(func() { p.kill() })
	}
	whole(t, ps)
	return ps
}

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "puppet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *puppet) start(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(p.puppetCords)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), envPuppet+"="+string(text))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (p *puppet) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
	p.http.CloseIdleConnections()
}

func (p *puppet) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// clientPatience is how long a client waits for an answer: longer than a node waits for a leader.
const clientPatience = 15 * puppetBeat

// do asks a puppet. Where nobody hears it, nothing happened.
func (p *puppet) do(d deed) result {
	body, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://puppet/", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	resp, err := p.http.Do(req)
	var r result
	if err == nil {
		err = json.NewDecoder(resp.Body).Decode(&r)
		_ = resp.Body.Close()
	}
	if err != nil {
		var op *net.OpError
		return result{Error: err.Error(), Nothing: errors.As(err, &op) && op.Op == "dial"}
	}
	return r
}

// whole waits until a consistent read works on every puppet, or a stale one.
func whole(t *testing.T, ps []*puppet) {
	t.Helper()
	for _, p := range ps {
		eventually(t, p.Name+" reads what is agreed", func() error {
			if r := p.do(deed{Verb: "get"}); r.Error != "" {
				return errors.New(r.Error)
			}
			if p.do(deed{Verb: "leader"}).Value == "" {
				return errors.New("it knows no leader")
			}
			return nil
		})
	}
}

// register is the key of the nth register.
func register(i int) fsm.ServerKey {
	return fsm.ServerKey{Service: "web", Server: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(1 + i%250)}), 80)}
}

// cut takes the path between one puppet and the others away, or gives all paths back if it is nil.
func cut(ps []*puppet, alone *puppet) {
	for _, p := range ps {
		var away []string
		for _, q := range ps {
			if alone != nil && p != q && (p == alone || q == alone) {
				away = append(away, q.Bind.String())
			}
		}
		_ = p.do(deed{Verb: "cut", Cut: away})
	}
}
