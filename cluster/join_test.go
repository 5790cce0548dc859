package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/logstore/faulty"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

func mustToken(t *testing.T, n *testnode, role fsm.Role) pki.Token {
	t.Helper()
	text, err := n.CreateToken(t.Context(), role, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := pki.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// request is what a joiner would send.
func request(t *testing.T, cfg Config, tok pki.Token) joinRequest {
	t.Helper()
	cfg, err := cfg.checked()
	if err != nil {
		t.Fatal(err)
	}
	j, err := beginJoin(cfg)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.NewRequest(cfg.Name, j.key)
	if err != nil {
		t.Fatal(err)
	}
	return joinRequest{TokenID: tok.ID(), Secret: tok.Secret(), CSR: csr, Member: cfg.member(j.id.ID), Now: time.Now()}
}

func TestTheLeaderAdmitsNobodyWhoDoesNotFit(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	for _, tt := range []struct {
		name   string
		change func(*joinRequest)
		want   string
	}{
		{"wrong secret", func(q *joinRequest) { q.Secret = []byte("guess") }, "its secret is wrong"},
		{"unknown token", func(q *joinRequest) { q.TokenID = "000000000000" }, "has no token"},
		{"wrong role", func(q *joinRequest) { q.Member.Role = fsm.RoleWitness }, "not a witness"},
		{"clock behind", func(q *joinRequest) { q.Now = q.Now.Add(-time.Hour) }, "clocks differ by 1h0m0s"},
		{"clock ahead", func(q *joinRequest) { q.Now = q.Now.Add(time.Hour) }, "clocks differ by 1h0m0s"},
		{"address taken", func(q *joinRequest) { q.Member.Address = a.cfg.Bind }, "is member a's: already taken; if this host was a and has lost its data, run `quorate remove a`"},
		{"gossip address taken", func(q *joinRequest) { q.Member.Gossip = a.cfg.Gossip }, "is member a's: already taken; if this host was a and has lost its data, run `quorate remove a`"},
		{"name taken", func(q *joinRequest) { q.Member.Name = "a" }, "the name a is a member's: already taken; if this host was a and has lost its data, run `quorate remove a`"},
		{"all of a's", func(q *joinRequest) { q.Member.Name, q.Member.Address, q.Member.Gossip = "a", a.cfg.Bind, a.cfg.Gossip }, "else choose another name"},
		{"binary too old", func(q *joinRequest) { q.Member.MinLevel, q.Member.MaxLevel = 0, 0 }, fmt.Sprint("feature level ", fsm.Newest)},
		{"binary too new", func(q *joinRequest) { q.Member.MinLevel, q.Member.MaxLevel = fsm.Newest+1, fsm.Newest+2 }, fmt.Sprint("feature level ", fsm.Newest)},
		{"another's ID", func(q *joinRequest) { q.Member.ID = a.id.ID }, "is not its key's"},
		{"no ID", func(q *joinRequest) { q.Member.ID = "x" }, "is none"},
		{"a name of evil letters", func(q *joinRequest) { q.Member.Name = "../a\n" }, "cannot be a director's name"},
		{"no address", func(q *joinRequest) { q.Member.Address = netip.AddrPort{} }, "cannot be reached"},
		{"no certificate request", func(q *joinRequest) { q.CSR = []byte("x") }, "certificate request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := request(t, config(t, "b"), mustToken(t, a, fsm.RoleDirector))
			tt.change(&q)
			_, err := a.admit(t.Context(), q)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if len(a.State().Members) != 1 {
				t.Fatal("it was admitted")
			}
		})
	}
	t.Run("revoked token", func(t *testing.T) {
		tok := mustToken(t, a, fsm.RoleDirector)
		if err := a.Propose(t.Context(), fsm.RevokeToken{ID: tok.ID()}); err != nil {
			t.Fatal(err)
		}
		err := Join(t.Context(), config(t, "b"), a.cfg.Bind.String(), tok.String(), func(string) {})
		if !errors.Is(err, fsm.ErrToken) || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("error %v", err)
		}
	})
}

func TestATokenThatIsUsedUpHelpsNobodyElse(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	tok := mustToken(t, a, fsm.RoleDirector)
	cfg := config(t, "b")
	q := request(t, cfg, tok)
	if _, err := a.admit(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if _, err := a.admit(t.Context(), q); err != nil {
		t.Errorf("the same agent again: %v", err)
	}
	thief := request(t, config(t, "b"), tok) // a key of its own
	thief.Member = q.Member                  // and b's name and ID, which any certificate shows
	if _, err := a.admit(t.Context(), thief); err == nil {
		t.Error("who knows the token and b's ID gets a certificate of b")
	}
	if err := a.Remove(t.Context(), "b", true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.admit(t.Context(), q); !errors.Is(err, fsm.ErrToken) || !strings.Contains(err.Error(), "no member any more") {
		t.Errorf("who was removed comes back by its old token: %v", err)
	}
}

func TestAJoinThatWasCutOffGoesOn(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	tok := mustToken(t, a, fsm.RoleDirector)
	b := config(t, "b")
	if _, err := a.admit(t.Context(), request(t, b, tok)); err != nil { // its answer is lost
		t.Fatal(err)
	}
	id := a.State().Members["b"].ID
	for range 2 { // and once more, when it is done
		if err := Join(t.Context(), b, a.cfg.Bind.String(), tok.String(), func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.State().Members["b"].ID; got != id || len(a.State().Members) != 2 {
		t.Errorf("it is %s, was %s", got, id)
	}

	// What is left of a join, whatever it is, does not hinder another.
	for name, spoil := range map[string]func(dir string) error{
		"nothing": func(dir string) error { return os.RemoveAll(filepath.Join(dir, identityFile)) },
		"half a key": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, pki.KeyFile), []byte("-----BEG"), 0o600)
		},
		"another's key": func(dir string) error {
			_, text, err := pki.NewKey()
			return errors.Join(err, os.WriteFile(filepath.Join(dir, pki.KeyFile), text, 0o600))
		},
	} {
		c := config(t, "c")
		_ = request(t, c, tok)
		if err := spoil(filepath.Join(c.DataDir, joinDir)); err != nil {
			t.Fatal(err)
		}
		if err := Join(t.Context(), c, a.cfg.Bind.String(), mustToken(t, a, fsm.RoleDirector).String(), func(string) {}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := a.Remove(t.Context(), "c", true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJoiningWhatIsNoAgentEnds(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	text := mustToken(t, a, fsm.RoleDirector).String()
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"says nothing", func(net.Conn) {}, "deadline exceeded"},
		{"hangs up", func(c net.Conn) { _ = c.Close() }, "does not speak as a quorate agent"},
		{"speaks HTTP", func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, "does not speak as a quorate agent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					t.Cleanup(func() { _ = c.Close() })
					tt.serve(c)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			cfg := config(t, "b")
			if err := Join(ctx, cfg, l.Addr().String(), text, func(string) {}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if Exists(cfg.DataDir) {
				t.Error("it believes that it joined")
			}
		})
	}
	for _, addr := range []string{"", ":7400", "host:port", "10.0.0.1:0", "10.0.0.1:99999", "::1:x"} {
		if _, err := joinTarget(addr); err == nil {
			t.Errorf("%q is taken as an address", addr)
		}
	}
	if _, err := joinTarget(text); err == nil || strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "--token TOKEN") {
		t.Errorf("a token where the address is to be: %v", err)
	}
	for addr, want := range map[string]string{"10.0.0.1": "10.0.0.1:7400", "fe80::1": "[fe80::1]:7400", "10.0.0.1:1": "10.0.0.1:1", "lb1": "lb1:7400", "lb1:80": "lb1:80"} {
		if got, err := joinTarget(addr); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", addr, got, err, want)
		}
	}
}

func TestJoiningWithoutQuorumSaysSo(t *testing.T) {
	t.Parallel()
	ns := three(t)
	text := mustToken(t, ns[0], fsm.RoleDirector).String()
	ns[0].kill()
	ns[1].kill()
	began := time.Now()
	err := Join(t.Context(), config(t, "d"), ns[2].cfg.Bind.String(), text, func(string) {})
	if !errors.Is(err, ErrNoLeader) && !errors.Is(err, ErrUncertain) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > joinLimit {
		t.Errorf("it took %v to say %v", took, err)
	}
}

func TestPortsInUseAreNamed(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"cluster port: tcp", "gossip port: tcp", "gossip port: udp"} {
		t.Run(what, func(t *testing.T) {
			cfg := config(t, "a")
			if err := Init(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			addr := cfg.Gossip
			if strings.HasPrefix(what, "cluster") {
				addr = cfg.Bind
			}
			if strings.HasSuffix(what, "udp") {
				p, err := net.ListenPacket("udp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
			} else {
				l, err := net.Listen("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			fresh := cfg
			fresh.DataDir = t.TempDir()
			for name, do := range map[string]func() error{
				"init": func() error { return Init(t.Context(), fresh) },
				"open": func() error { _, err := Open(cfg); return err },
				"join": func() error {
					return Join(t.Context(), fresh, cfg.Bind.String(), pki.NewToken([]byte("x")).String(), func(string) {})
				},
			} {
				err := do()
				if want := what + " " + addr.String() + " is in use"; err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", name, err, want)
				}
			}
		})
	}
	cfg := config(t, "a")
	cfg.Bind = netip.MustParseAddrPort("192.0.2.1:7400") // of documentation: no host has it
	if err := Init(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no interface of this host has") {
		t.Errorf("on an address of another host: %v", err)
	}
}

func TestWhatAnInitThatWasCutOffLeftDoesNotHinder(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	for _, dir := range []string{initDir, goneDir} {
		if err := os.MkdirAll(filepath.Join(cfg.DataDir, dir, "deep"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(cfg.DataDir, initDir, logstore.LogFile), []byte("half a log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	n := start(t, cfg)
	eventually(t, "it leads", func() error { return leads(n) })
	err := Init(t.Context(), cfg)
	if want := fmt.Sprintf("(pid %d)", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("beside it: %v, want %q", err, want)
	}
}

func TestDataOfAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "a")
	a.end()
	other.end()
	log := filepath.Join(liveDir, logstore.LogFile)
	text, err := os.ReadFile(filepath.Join(other.cfg.DataDir, log))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.cfg.DataDir, log), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a.cfg); err == nil || !strings.Contains(err.Error(), "its log is of cluster "+other.id.ClusterID) {
		t.Errorf("open: %v", err)
	}
	level := other.cfg
	level.MinLevel, level.MaxLevel = fsm.Newest+1, fsm.Newest+1
	if _, err := Open(level); err == nil || !strings.Contains(err.Error(), fmt.Sprint("feature level ", fsm.Newest)) {
		t.Errorf("a binary too new: %v", err)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no name", func(c *Config) { c.Name = "" }, "no name"},
		{"a name with a slash", func(c *Config) { c.Name = "../a" }, "cannot be a director's name"},
		{"a name without end", func(c *Config) { c.Name = strings.Repeat("a", maxName+1) }, "cannot be a director's name"},
		{"no directory", func(c *Config) { c.DataDir = "" }, "no data directory"},
		{"no address", func(c *Config) { c.Bind = netip.AddrPort{} }, "one address and port"},
		{"every address", func(c *Config) { c.Gossip = netip.MustParseAddrPort("[::]:7401") }, "one address and port"},
		{"one port for both", func(c *Config) { c.Gossip = c.Bind }, "each needs a port of its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, "a")
			tt.change(&cfg)
			if err := Init(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A log of few entries is not one that a joiner has taken: until it has it would only be a vote that is missing.
func TestAJoinerThatTakesNothingDoesNotVoteThoughTheLogIsShort(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	token, err := a.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, "b")
	if err := Join(t.Context(), cfg, a.cfg.Bind.String(), token, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if at := a.State().Index; at > caughtUp {
		t.Fatalf("the log has %d entries, which is not short", at)
	}
	d, until := faulty.New(nil), make(chan struct{})
	free := sync.OnceFunc(func() {
		d.HangLog(nil)
		close(until)
	})
	t.Cleanup(free)
	d.HangLog(until)
	b := startWith(t, cfg, func(n *Node) {
		d.Over(n.store.Bare)
		n.store.Bare = d
	})
	eventually(t, "it answers, and has nothing", func() error {
		at, err := a.progressOf(t.Context(), "b")
		if at > 0 {
			t.Errorf("it has applied entry %d", at)
		}
		return err
	})
	if a.hasCaughtUp(t.Context(), "b") {
		t.Error("it is taken for one that has caught up")
	}
	eventually(t, "it was sent the log", func() error {
		if b.store.Stuck(time.Now()) == 0 {
			return errors.New("nothing came to its disk")
		}
		return nil
	})
	if a.votes(raft.ServerID(b.id.ID)) {
		t.Error("it votes")
	}
	free()
	eventually(t, "it votes when it has taken it", func() error {
		if !b.Voter() || b.State().Index == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

func TestWhoHasGivenUpWhileOthersWereLetInIsNotLetIn(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	q := request(t, config(t, "b"), mustToken(t, a, fsm.RoleDirector))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.admit(gone, q); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUncertain) {
		t.Errorf("%v", err)
	}
	if _, err := a.admit(t.Context(), q); err != nil {
		t.Errorf("asked again: %v", err)
	}
}

// Seven members are the most: who would be the eighth is refused, and no token is used up by that. One that was let in before is no
// eighth when it asks again, and a place that became free can be taken.
func TestAnEighthMemberIsRefused(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	var last joinRequest
	for _, name := range []string{"b", "c", "d", "e", "f", "g"} {
		last = request(t, config(t, name), mustToken(t, a, fsm.RoleDirector))
		if _, err := a.admit(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	eighth := request(t, config(t, "h"), mustToken(t, a, fsm.RoleDirector))
	if _, err := a.admit(t.Context(), eighth); err == nil || !strings.Contains(err.Error(), "the cluster has 7 members, and 7 is the most that it can have: h was not let in") {
		t.Errorf("an eighth: %v", err)
	}
	anew := request(t, config(t, "b"), mustToken(t, a, fsm.RoleDirector))
	if _, err := a.admit(t.Context(), anew); err == nil || !strings.Contains(err.Error(), "if this host was b and has lost its data, run `quorate remove b`") {
		t.Errorf("one of the seven that has lost its data: %v", err)
	}
	if len(a.State().Members) != 7 {
		t.Errorf("%d members", len(a.State().Members))
	}
	if _, err := a.admit(t.Context(), last); err != nil {
		t.Errorf("the seventh, again: %v", err)
	}
	if err := a.Propose(t.Context(), fsm.RemoveMember{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.admit(t.Context(), eighth); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

// Where two ask at once for the last place, one of them gets it.
func TestOfTwoAtOnceOneIsTheSeventh(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	for _, name := range []string{"b", "c", "d", "e", "f"} {
		if _, err := a.admit(t.Context(), request(t, config(t, name), mustToken(t, a, fsm.RoleDirector))); err != nil {
			t.Fatal(err)
		}
	}
	var late []joinRequest
	for _, name := range []string{"g", "h", "i", "j"} {
		late = append(late, request(t, config(t, name), mustToken(t, a, fsm.RoleDirector)))
	}
	var all sync.WaitGroup
	for _, q := range late {
		all.Go(func() { _, _ = a.admit(t.Context(), q) })
	}
	all.Wait()
	if len(a.State().Members) != 7 {
		t.Errorf("%d members", len(a.State().Members))
	}
}
