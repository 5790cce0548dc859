package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// lost is a cluster of three of which the last has survived, not running.
func lost(t *testing.T) []*testnode {
	t.Helper()
	ns := three(t)
	change(t, ns[0], 70) // more than Raft sends at a time
	eventually(t, "all have the same", same(ns...))
	for _, n := range ns {
		n.kill()
	}
	return ns
}

// saved is recovered from one that is not running, and leads.
func saved(t *testing.T, n *testnode) *testnode {
	t.Helper()
	if _, err := RecoverData(n.cfg, func(string) {}); err != nil {
		t.Fatal(err)
	}
	again := start(t, n.cfg)
	eventually(t, n.cfg.Name+" leads alone", func() error { return leads(again) })
	return again
}

// fenced says whether a node knows that a recovery left it behind.
func fenced(n *testnode) error {
	err := n.Removed()
	if err == nil || !strings.Contains(err.Error(), "was recovered on c") || n.Quorum() || n.IsLeader() || n.Leader() != "" {
		return fmt.Errorf("%s: removed %v, quorum %v, leader %q", n.cfg.Name, err, n.Quorum(), n.Leader())
	}
	return nil
}

// quorumOfOld says whether the old cluster is there again.
func quorumOfOld(n *testnode) error {
	if !n.Quorum() || n.State().ClusterEpoch() != 1 {
		return fmt.Errorf("quorum %v, epoch %d, removed %v", n.Quorum(), n.State().ClusterEpoch(), n.Removed())
	}
	return nil
}

func TestTheLostComeBackAndAreNoClusterThoughTheyAreAMajority(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	before := ns[2].State()
	terms := map[string]uint64{"a": term(t, ns[0].cfg), "b": term(t, ns[1].cfg)}
	c := saved(t, ns[2])
	if s := c.State(); s.ClusterEpoch() != 2 || len(s.Members) != 1 || s.Revision != before.Revision || s.Index <= before.Index+fsm.RecoveryGap-1 {
		t.Errorf("epoch %d, members %v, revision %d, index %d, was at %d", s.ClusterEpoch(), s.Members, s.Revision, s.Index, before.Index)
	}
	if _, err := os.Stat(filepath.Join(c.cfg.DataDir, fmt.Sprintf(keptBefore, before.Index))); err != nil {
		t.Errorf("what it began with: %v", err)
	}
	old := []*testnode{start(t, ns[0].cfg), start(t, ns[1].cfg)}
	for _, n := range old {
		eventually(t, n.cfg.Name+" is fenced", func() error { return fenced(n) })
		if err := n.Propose(t.Context(), drain("a", true)); !errors.Is(err, ErrRemoved) {
			t.Errorf("a change through %s: %v", n.cfg.Name, err)
		}
		if now, err := n.store.Term(); err != nil || now != terms[n.cfg.Name] || n.raft.Load() != nil {
			t.Errorf("%s took part before it asked: term %d, was %d, %v", n.cfg.Name, now, terms[n.cfg.Name], err)
		}
	}
	if err := leads(c); err != nil {
		t.Error(err)
	}
	all := t // nodes outlive the part that they are started in
	t.Run("for good, with nobody there to say it", func(t *testing.T) {
		c.kill()
		for i, n := range old {
			n.kill()
			if _, err := RecoverData(n.cfg, func(string) {}); err == nil || !strings.Contains(err.Error(), "left this director behind") {
				t.Errorf("%s recovers: %v", n.cfg.Name, err)
			}
			old[i] = start(all, n.cfg)
		}
		for _, n := range old {
			if err := fenced(n); err != nil {
				t.Error(err)
			}
			if _, err := n.Survey(t.Context()); !errors.Is(err, ErrRemoved) {
				t.Errorf("%s would recover: %v", n.cfg.Name, err)
			}
		}
		c = start(all, c.cfg)
		eventually(t, "c leads alone", func() error { return leads(c) })
	})
	t.Run("and join again", func(t *testing.T) {
		for _, n := range old {
			if err := n.Leave(t.Context(), false, func(string) {}); err != nil {
				t.Fatal(err)
			}
			token, err := c.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if err := Join(t.Context(), n.cfg, c.cfg.Bind.String(), token, func(string) {}); err != nil {
				t.Fatal(err)
			}
			cfg := n.cfg
			var old atomic.Uint64 // an entry of the old cluster that it was given
			cfg.OnChange = func(_, next *fsm.State, _ []fsm.Change) {
				if next.Index <= before.Index {
					old.Store(next.Index)
				}
			}
			again := start(all, cfg)
			eventually(t, n.cfg.Name+" votes again", func() error {
				if !again.Voter() || !again.Current() || again.State().ClusterEpoch() != 2 {
					return errors.New("not yet")
				}
				return nil
			})
			if i := old.Load(); i != 0 {
				t.Errorf("%s was given entry %d of the old cluster", n.cfg.Name, i)
			}
		}
		if former := c.State().Former; len(former) > 0 {
			t.Errorf("still called: %v", former)
		}
	})
}

// term is Raft's on the disk of a node that does not run.
func term(t *testing.T, cfg Config) uint64 {
	t.Helper()
	s, err := logstore.Open(filepath.Join(cfg.DataDir, liveDir), cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	term, err := s.Term()
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// TestWithoutTheFenceThereAreTwoClusters is the control of the test above.
func TestWithoutTheFenceThereAreTwoClusters(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	c := saved(t, ns[2])
	for _, n := range ns[:2] {
		n.cfg.Unfenced = func() bool { return true }
	}
	a, b := start(t, ns[0].cfg), start(t, ns[1].cfg)
	for _, n := range []*testnode{a, b} {
		eventually(t, n.cfg.Name+" is in the old cluster", func() error { return quorumOfOld(n) })
	}
	if err := leads(c); err != nil {
		t.Error(err)
	}
}

// TestWhoIsThereWhenTheSurvivorComesIsCalled has the old two go on while the survivor is off.
func TestWhoIsThereWhenTheSurvivorComesIsCalled(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	if _, err := RecoverData(ns[2].cfg, func(string) {}); err != nil {
		t.Fatal(err)
	}
	old := []*testnode{start(t, ns[0].cfg), start(t, ns[1].cfg)}
	for _, n := range old {
		eventually(t, "nobody has told them", func() error { return quorumOfOld(n) })
	}
	change(t, old[0], 20)
	c := start(t, ns[2].cfg)
	for _, n := range old {
		eventually(t, n.cfg.Name+" is fenced", func() error { return fenced(n) })
	}
	eventually(t, "c leads alone", func() error { return leads(c) })
}

// TestOfTwoThatRecoverSideBySideOneGoesOn is what an operator should not do.
func TestOfTwoThatRecoverSideBySideOneGoesOn(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	for _, n := range ns[1:] {
		if _, err := RecoverData(n.cfg, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	two := []*testnode{start(t, ns[1].cfg), start(t, ns[2].cfg)}
	winner, loser := two[0], two[1]
	if loser.State().Recovery.Over(winner.State().Recovery) {
		winner, loser = loser, winner
	}
	eventually(t, loser.cfg.Name+" is left behind", func() error {
		if r := loser.LeftBehind(); r == nil || r.SurvivorID != winner.id.ID || loser.IsLeader() {
			return fmt.Errorf("left behind by %+v", r)
		}
		return nil
	})
	if said := loser.Removed().Error(); !strings.Contains(said, "`quorate join "+winner.cfg.Bind.String()+" ") {
		t.Errorf("it does not say where to join: %s", said)
	}
	eventually(t, winner.cfg.Name+" leads", func() error { return leads(winner) })
	pause(t.Context(), 5*beat)
	if err := leads(winner); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheCAsWordFences(t *testing.T) {
	t.Parallel()
	ns := three(t)
	r := fsm.Recovery{ClusterID: ns[0].id.ClusterID, Epoch: 9, Survivor: "c", SurvivorID: ns[2].id.ID, Index: ns[0].State().Index + fsm.RecoveryGap, At: time.Now().UTC()}
	_, otherKey, err := pki.NewCA("other", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged, err := sign(r, otherKey)
	if err != nil {
		t.Fatal(err)
	}
	good, err := sign(r, ns[0].State().Secrets().CAKey)
	if err != nil {
		t.Fatal(err)
	}
	altered := good
	altered.Epoch++
	unsigned := good
	unsigned.Signature = nil
	tell := func(r fsm.Recovery) error {
		return ns[1].call(t.Context(), "a", "POST", epochPath, epochAnswer{Recovery: &r}, nil)
	}
	for name, r := range map[string]fsm.Recovery{"forged": forged, "altered": altered, "unsigned": unsigned} {
		if err := tell(r); err != nil || ns[0].Removed() != nil {
			t.Errorf("%s: %v, %v", name, err, ns[0].Removed())
		}
	}
	if err := tell(good); err != nil || ns[0].Removed() == nil {
		t.Errorf("the real one: %v, %v", err, ns[0].Removed())
	}
}

func TestAStrangerIsToldNothingOfTheEpoch(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "a")
	m := a.State().Members["a"]
	if answer, err := other.tellEpoch(t.Context(), m, netip.AddrPort{}); err == nil {
		t.Errorf("another cluster's member was told %+v", answer)
	}
	if _, err := a.tellEpoch(t.Context(), m, netip.AddrPort{}); err != nil {
		t.Errorf("a member was not: %v", err)
	}
}

func TestAFenceThatCannotBeReadLetsNobodyStart(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	a.kill()
	path := filepath.Join(a.cfg.DataDir, liveDir, fenceFile)
	for name, text := range map[string]string{"cut off": "{", "signed by nobody": `{"epoch":2}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := Open(a.cfg); err == nil || !strings.Contains(err.Error(), fenceFile) {
			t.Errorf("%s: %v", name, err)
			_ = n.Close()
		}
	}
}

// envCrash has the test binary recover a data directory and kill itself after a step.
const envCrash = "QUORATE_TEST_CRASH"

type crash struct {
	Step, Name, DataDir string
	Bind, Gossip        netip.AddrPort
}

func TestMain(m *testing.M) {
	if text := os.Getenv(envPuppet); text != "" {
		bePuppet(text)
	}
	if text := os.Getenv(envWalk); text != "" {
		beWalked(text)
	}
	text := os.Getenv(envCrash)
	if text == "" {
		// These tests wait more than they compute. It is set before the command line is read, which may say otherwise.
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	var c crash
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic(err)
	}
	cfg := Config{Name: c.Name, DataDir: c.DataDir, Bind: c.Bind, Gossip: c.Gossip, MinLevel: 1, MaxLevel: fsm.Newest, step: func(s string) {
		if s == c.Step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}}
	if _, err := RecoverData(cfg, func(string) {}); err != nil {
		panic(err)
	}
}

func TestARecoveryThatIsKilledAtAnyStepIsRunAgain(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	c := ns[2]
	index, hash := c.State().Index, c.State().Hash()
	whole := filepath.Join(t.TempDir(), "whole")
	if err := os.CopyFS(whole, os.DirFS(c.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		step  string
		begun bool // the new cluster is there
	}{{"kept", false}, {"beginning", false}, {"begun", true}, {"forgotten", true}} {
		t.Run(tt.step, func(t *testing.T) {
			cfg := c.cfg
			cfg.DataDir, cfg.Bind, cfg.Gossip = filepath.Join(t.TempDir(), "data"), freePort(t), freePort(t)
			if err := os.CopyFS(cfg.DataDir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			killed(t, crash{tt.step, cfg.Name, cfg.DataDir, cfg.Bind, cfg.Gossip})
			n, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			epoch, at, is := n.State().ClusterEpoch(), n.State().Index, n.State().Hash()
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.begun && (epoch != 2 || at != index+fsm.RecoveryGap):
				t.Fatalf("epoch %d at %d", epoch, at)
			case !tt.begun && (epoch != 1 || is != hash):
				t.Fatalf("something has changed: epoch %d at %d", epoch, at)
			case !tt.begun: // run again
				if _, err := RecoverData(cfg, func(string) {}); err != nil {
					t.Fatal(err)
				}
			}
			again := start(t, cfg)
			eventually(t, "it leads alone", func() error { return leads(again) })
			if again.State().ClusterEpoch() != 2 {
				t.Errorf("epoch %d", again.State().ClusterEpoch())
			}
			change(t, again, 3)
		})
	}
}

// killed has a process of its own recover and die.
func killed(t *testing.T, c crash) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envCrash+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s: %v\n%s", c.Step, err, bytes.TrimSpace(out))
	}
}

func TestASurveySaysWhoAnswers(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	look := func() (Survey, string) {
		v, err := ns[2].Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v, fmt.Sprint(v.Refusal(false), "|", v.Refusal(true))
	}
	v, said := look()
	if !v.Quorum || len(v.Answering()) != 2 || v.AsOf < ns[2].State().Index || time.Since(v.Written) > time.Minute {
		t.Errorf("%+v", v)
	}
	if strings.Count(said, "of 3 members 3 answer") != 2 || !strings.Contains(said, "(a, b beside this one)") {
		t.Errorf("with all there: %s", said)
	}
	ns[0].kill()
	eventually(t, "the rest agrees", func() error { return ns[2].Propose(t.Context(), drain("b", true)) })
	if _, said = look(); strings.Count(said, "of 3 members 2 answer (b beside this one)") != 2 {
		t.Errorf("with two there: %s", said)
	}
	ns[1].kill()
	eventually(t, "there is no quorum", func() error {
		if ns[2].Quorum() {
			return errors.New("there is one")
		}
		return nil
	})
	if _, said = look(); said != "<nil>|<nil>" {
		t.Errorf("alone: %s", said)
	}
}

func TestWhoAnswersWithoutAQuorumIsNamedAndOverruled(t *testing.T) {
	t.Parallel()
	v := Survey{Name: "a", AsOf: 9, Members: []SurveyMember{{Name: "b", Answers: true, Index: 9}, {Name: "c"}, {Name: "d"}, {Name: "e"}}}
	if err := v.Refusal(false); !errors.Is(err, ErrNotLost) || !strings.Contains(err.Error(), "of 5 members 2 answer (b beside this one), 3 must reach each other") {
		t.Errorf("%v", err)
	}
	if err := v.Refusal(true); err != nil {
		t.Errorf("forced: %v", err)
	}
	v.Members[0].Quorum = true
	if err := v.Refusal(true); !errors.Is(err, ErrNotLost) || !strings.Contains(err.Error(), "b says that they have a quorum: it is a that is cut off") {
		t.Errorf("cut off from a quorum, forced: %v", err)
	}
	v.Members[0].Quorum = false
	v.Members[1].Answers, v.Members[1].Why = true, "is a clock wrong?"
	if err := v.Refusal(false); err == nil || !strings.Contains(err.Error(), "of 5 members 3 answer (b, c beside this one); c: is a clock wrong?") {
		t.Errorf("one cannot be asked: %v", err)
	}
	if err := v.Refusal(true); err != nil {
		t.Errorf("one cannot be asked, forced: %v", err)
	}
	for i := range v.Members {
		v.Members[i].Answers, v.Members[i].Why = true, "500 Internal Server Error"
	}
	if err := v.Refusal(true); err != nil || v.Refusal(false) == nil {
		t.Errorf("all are half broken, forced: %v; not forced: %v", err, v.Refusal(false))
	}
	for i := range v.Members {
		v.Members[i].Apart = i < 3
	}
	if err := v.Refusal(true); !errors.Is(err, ErrNotLost) || !strings.Contains(err.Error(), "3 are enough for a quorum of their own") {
		t.Errorf("three may have a quorum, forced: %v", err)
	}
	v.Members[2].Apart = false
	v.Members[0].Index = 12
	if err := v.Refusal(false); err == nil || !strings.Contains(err.Error(), "b knows log entry 12, this one 9: recover there") {
		t.Errorf("%v", err)
	}
}

// One that leads says so for a lease after it has lost all others.
func TestAQuorumIsBelievedIfItIsStillThereALeaseLater(t *testing.T) {
	t.Parallel()
	for _, said := range [][]bool{{false}, {true, false}, {true, true}} {
		asked := 0
		got := askTwice(t.Context(), time.Millisecond, func(context.Context) []SurveyMember {
			asked++
			return []SurveyMember{{Name: "b", Answers: true, Quorum: said[asked-1]}}
		})
		if asked != len(said) || got[0].Quorum != said[len(said)-1] {
			t.Errorf("%v: asked %d times, %+v", said, asked, got)
		}
	}
}

func TestWhoMayHaveAQuorumOfItsOwnIsKnownByItsError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{failure{Error: "it is broken"}.err(), false},
		{ErrUncertain, true}, // with a member that had proved itself
		{fmt.Errorf("%w: %w", ErrUncertain, context.DeadlineExceeded), false},
		{failure{Code: "removed", Name: "a"}.err(), true},
		{x509.CertificateInvalidError{Reason: x509.Expired}, true},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: expired certificate")}, true},
		{fmt.Errorf("%w: %w", pki.ErrFormerCA, x509.UnknownAuthorityError{}), true},
		{fmt.Errorf("%w: %w", pki.ErrAnother, x509.HostnameError{Certificate: new(x509.Certificate), Host: "b"}), true},
		{x509.UnknownAuthorityError{}, false},
		{x509.HostnameError{Certificate: new(x509.Certificate), Host: "b"}, false},
	} {
		if got := apart(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// With TLS 1.3 the other side refuses a certificate when the handshake is done here.
func TestWhoEndsAConnectionIsAskedAgainAndIsNotLost(t *testing.T) {
	t.Parallel()
	during := func(err error) error { return fmt.Errorf("ask b: %w: %w", ErrUncertain, err) }
	for _, tt := range []struct {
		err   error
		asked int
		there bool
	}{
		{nil, 1, true},
		{during(syscall.ECONNRESET), 2, true},
		{during(syscall.EPIPE), 2, true},
		{during(io.EOF), 2, true},
		{during(context.DeadlineExceeded), 1, false},
		{during(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), 1, false},
		{&port.DialError{}, 1, false},
	} {
		asked := 0
		_, err := unbroken(func() (progress, error) {
			asked++
			return progress{}, tt.err
		})
		if _, there := unasked(err); asked != tt.asked || there != tt.there {
			t.Errorf("%v: asked %d times, there %v", tt.err, asked, there)
		}
	}
}

func TestWhoIsHeardAsAnOwnerIsNotOff(t *testing.T) {
	t.Parallel()
	v := Survey{Name: "a", AsOf: 9, Members: []SurveyMember{{Name: "b", Owns: "web"}, {Name: "c"}}}
	if err := v.Refusal(false); !errors.Is(err, ErrNotLost) || !strings.Contains(err.Error(), "of 3 members 1 answer, but b is heard as the owner of web: its host is not off") {
		t.Errorf("%v", err)
	}
	if err := v.Refusal(true); err != nil {
		t.Errorf("forced: %v", err)
	}
}

func TestWhoNeedsNobodyIsNotLost(t *testing.T) {
	t.Parallel()
	v := Survey{Name: "a", Members: []SurveyMember{}}
	if err := v.Refusal(true); !errors.Is(err, ErrNotLost) || v.Done() {
		t.Errorf("an only member: %v, done %v", err, v.Done())
	}
	v.Recovery = &fsm.Recovery{Survivor: "a"}
	if !v.Done() {
		t.Error("who has just recovered is to do it again")
	}
	v.Members = []SurveyMember{{Name: "b"}}
	if v.Done() || v.Refusal(false) != nil {
		t.Errorf("the next loss: done %v, %v", v.Done(), v.Refusal(false))
	}
}

func TestNothingIsRecoveredWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	if _, err := RecoverData(config(t, "a"), func(string) {}); err == nil || !strings.Contains(err.Error(), "in no cluster") {
		t.Errorf("%v", err)
	}
	a := first(t, "a")
	if _, err := RecoverData(a.cfg, func(string) {}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("of a node that runs: %v", err)
	}
}

// A recovery counts all of the log, so that is what is said before it: also of what was agreed and is not known as that here.
func TestASurveySaysTheRevisionOfTheLogsEnd(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	index := a.State().Index
	if err := a.Propose(t.Context(), fsm.PutConfig{Config: fsm.Config{}, Base: a.State().Revision}); err != nil {
		t.Fatal(err)
	}
	revision := a.State().Revision
	if revision != 1 {
		t.Fatalf("revision %d", revision)
	}
	a.kill()
	if err := os.WriteFile(filepath.Join(a.cfg.DataDir, liveDir, logstore.RecordFile), []byte(logstore.FormatRecord(index)), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Open(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	v, err := n.Survey(t.Context())
	if err != nil || n.State().Revision != 0 || v.Revision != revision || v.AsOf <= index {
		t.Errorf("survey %+v of a state at revision %d, %v", v, n.State().Revision, err)
	}
}

// shortened is a log of which Raft removes the end just before that is read.
type shortened struct {
	logstore.Disk
	at uint64
}

// GetLog implements [raft.LogStore].
func (c shortened) GetLog(index uint64, l *raft.Log) error {
	if last, err := c.LastIndex(); err == nil && index >= c.at && last >= c.at {
		if err := c.DeleteRange(c.at, last); err != nil {
			return err
		}
	}
	return c.Disk.GetLog(index, l)
}

// What a member has that nobody agreed goes when another leads, which may be while it is asked what it has: that is no damage.
func TestASurveyWhileRaftCutsTheLogOffIsMadeAnew(t *testing.T) {
	n := alone(t)
	entry, err := fsm.Encode(fsm.ChangeConfig{Base: 2, Delta: fsm.Delta{Services: web(3)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.Logs().StoreLog(&raft.Log{Index: 4, Term: 1, Type: raft.LogCommand, Data: entry}); err != nil {
		t.Fatal(err)
	}
	if v, err := n.Survey(t.Context()); err != nil || v.AsOf != 4 || v.Revision != 3 {
		t.Errorf("before: %+v, %v", v, err)
	}
	n.store.Bare = shortened{n.store.Bare, 4}
	if v, err := n.Survey(t.Context()); err != nil || v.AsOf != 3 || v.Revision != 2 {
		t.Errorf("after: %+v, %v", v, err)
	}
}

// refusesToRecover is nil once a survey at a node finds both others there, each with the same reason, and lets nobody recover.
func refusesToRecover(n *testnode, why string) error {
	v, err := n.Survey(context.Background())
	if err != nil {
		return err
	}
	for _, force := range []bool{false, true} {
		err := v.Refusal(force)
		if len(v.Answering()) != 2 || !errors.Is(err, ErrNotLost) || strings.Count(err.Error(), why) != 2 || !strings.Contains(err.Error(), "stop their agents first") {
			return fmt.Errorf("force %v: %v, of %+v", force, err, v.Members)
		}
	}
	return nil
}

func TestWhoseCertificatesAreNotGoodByTheOwnClockAreNotLost(t *testing.T) {
	t.Parallel()
	ns := three(t)
	token := mustToken(t, ns[0], fsm.RoleDirector)
	now := time.Now()
	for i, n := range ns[:2] { // which is what they are to a director whose clock is ahead
		text, _ := pairOf(t, n, ns[2], n.id, now.Add(-time.Hour), now.Add(-time.Minute))
		n.kill()
		if err := os.WriteFile(filepath.Join(n.cfg.DataDir, liveDir, pki.CertFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		ns[i] = startWith(t, n.cfg, func(n *Node) { n.unkept = true })
	}
	eventually(t, "they are there", func() error { return refusesToRecover(ns[2], "is a clock wrong?") })
	if err := ns[2].MayLeave(t.Context(), false); !errors.Is(err, ErrQuorumAtRisk) || !strings.HasPrefix(err.Error(), "the cluster has no quorum: without c it has 2 voters and needs 2 of them, but only 0 answer") {
		t.Errorf("it leaves where there is no quorum: %v", err)
	}
	err := Join(t.Context(), config(t, "d"), ns[0].cfg.Bind.String(), token.String(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "the certificate of the agent that answers there is not good here: x509") || !strings.Contains(err.Error(), "is a clock wrong?") {
		t.Errorf("joining with a clock that is ahead: %v", err)
	}
}

func TestWhoDoNotTakeTheOwnCertificateAreNotLost(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	ns[2].kill()
	before := ns[0].State().Secrets().CACert
	beginsCA(t, ns[0], nil, nil)
	eventually(t, "certificates of the new CA", signedAnew(before, ns[:2]...))
	finishesCA(t, ns[0], true)
	eventually(t, "the CA is dropped", overCA(ns[:2]...))
	c := start(t, ns[2].cfg)
	eventually(t, "they are there", func() error { return refusesToRecover(c, "does not take this director's certificate") })
	eventually(t, "what to do is said", func() error {
		if err := c.MayLeave(t.Context(), false); err == nil || !strings.Contains(err.Error(), "run `quorate leave --force` here") {
			return fmt.Errorf("it leaves: %w", err)
		}
		return nil
	})
}

// TestARecoveryLeavesOutWhatNobodyCanApply: where an entry halts all, no restart mends it. The way out is a new cluster without it.
func TestARecoveryLeavesOutWhatNobodyCanApply(t *testing.T) {
	t.Parallel()
	ns := three(t)
	change(t, ns[0], 3)
	eventually(t, "all have the same", same(ns...))
	before := ns[2].State()
	makeLead(t, ns[0], ns)
	for _, entry := range []string{"poison", "more of it"} {
		_ = ns[0].raft.Load().Apply([]byte(entry), time.Second).Error() // it is agreed
	}
	eventually(t, "all are halted", func() error {
		for _, n := range ns {
			if n.Halted() == nil {
				return errors.New(n.cfg.Name + " is not")
			}
		}
		return nil
	})
	for _, n := range ns[:2] {
		n.kill()
	}
	eventually(t, "it may be recovered, and says what is left out", func() error {
		v, err := ns[2].Survey(t.Context())
		if err == nil {
			err = v.Refusal(false)
		}
		if err == nil && !strings.Contains(v.Halted, "cannot be applied here") {
			t.Errorf("the survey does not name the entry: %+v", v)
		}
		return err
	})
	ns[2].end()
	n := saved(t, ns[2])
	if err := n.Propose(t.Context(), aToken("after")); err != nil || n.Halted() != nil {
		t.Errorf("after the recovery: %v", err)
	}
	if s := n.State(); s.Revision != before.Revision || len(s.Members) != 1 {
		t.Errorf("revision %d, was %d; members %v", s.Revision, before.Revision, s.Members)
	}
}
