package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

func TestThreeNodesAgreeAndOutliveTheirLeader(t *testing.T) {
	t.Parallel()
	ns := three(t)
	if err := ns[2].Propose(t.Context(), drain("a", true)); err != nil { // on a follower
		t.Fatal(err)
	}
	if !ns[2].State().Members["a"].Draining {
		t.Error("who proposed does not see it")
	}
	eventually(t, "all have the same", same(ns...))
	err := ns[1].Propose(t.Context(), drain("nobody", true))
	if !errors.Is(err, fsm.ErrNotFound) {
		t.Errorf("a refusal came back as %v", err)
	}

	var leader *testnode
	var rest []*testnode
	for _, n := range ns {
		if n.IsLeader() {
			leader = n
		} else {
			rest = append(rest, n)
		}
	}
	leader.kill()
	eventually(t, "a new leader takes a change", func() error { // what hit the old one on its way is uncertain
		err := rest[0].Propose(t.Context(), drain("a", false))
		if err != nil && !errors.Is(err, ErrUncertain) {
			t.Fatal(err)
		}
		return err
	})
	eventually(t, "the rest agree", same(rest...))

	back := start(t, leader.cfg)
	eventually(t, "the old leader has caught up", same(append(rest, back)...))

	rest[0].kill()
	rest[1].kill()
	eventually(t, "the quorum's loss is seen", func() error {
		if back.Quorum() || back.Leader() != "" {
			return fmt.Errorf("quorum %v, leader %q", back.Quorum(), back.Leader())
		}
		return nil
	})
	if err := back.Propose(t.Context(), drain("a", true)); !errors.Is(err, ErrNoLeader) {
		t.Errorf("without quorum: %v", err)
	}
}

func TestANodeAloneStartsFromWhatItHadApplied(t *testing.T) {
	t.Parallel()
	ns := three(t)
	change(t, ns[0], 50)
	eventually(t, "all have the same", same(ns...))
	want, index := ns[2].State().Hash(), ns[2].State().Index
	for _, n := range ns {
		n.kill()
	}
	alone := start(t, ns[2].cfg)
	if alone.State().Index != index || alone.State().Hash() != want {
		t.Fatalf("it starts at %d, had applied %d", alone.State().Index, index)
	}
	lowest := alone.State().Index
	second := start(t, ns[1].cfg)
	eventually(t, "two make a quorum", func() error {
		lowest = min(lowest, alone.State().Index)
		if !alone.Quorum() || !alone.Current() {
			return fmt.Errorf("quorum %v, current %v", alone.Quorum(), alone.Current())
		}
		return nil
	})
	if lowest < index {
		t.Errorf("the state went back from %d to %d", index, lowest)
	}
	eventually(t, "both have the same", same(alone, second))
}

func TestARecordThatIsBehindOrDamagedIsSafe(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	early := uint64(0) // of a change: a record is of nothing else, and an election may be in between
	for i := range 20 {
		if err := a.Propose(t.Context(), drain("a", i%2 == 0)); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			early = a.State().Index
		}
	}
	index := a.State().Index
	a.kill()
	path := filepath.Join(a.cfg.DataDir, liveDir, logstore.RecordFile)
	for _, text := range []string{logstore.FormatRecord(early), "", "garbage\n", strings.Repeat("9", 40)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := start(t, a.cfg)
		if n.State().Index > index {
			t.Errorf("record %q: it starts at %d, beyond %d", text, n.State().Index, index)
		}
		eventually(t, "it leads again", func() error { return leads(n) })
		eventually(t, "it has applied what it had", func() error { // a leader applies the old entries after its first
			if at := n.State().Index; at < index {
				return fmt.Errorf("record %q: it is at %d, was at %d", text, at, index)
			}
			return nil
		})
		n.kill()
	}
}

func TestAPoisonedEntryHaltsAllAndEndsNobody(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	before := ns[0].State().Hash()
	for _, n := range ns {
		if n.IsLeader() {
			if err := n.raft.Load().Apply([]byte("poison"), time.Second).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	halted := func(ns ...*testnode) func() error {
		return func() error {
			for _, n := range ns {
				if n.Halted() == nil || !strings.Contains(n.Halted().Error(), "cannot be applied") {
					return fmt.Errorf("%s: %v", n.cfg.Name, n.Halted())
				}
			}
			return nil
		}
	}
	eventually(t, "all are halted", halted(ns...))
	for _, n := range ns {
		if n.State().Members["a"].Name == "" || n.State().Hash() != before {
			t.Errorf("%s lost its state", n.cfg.Name)
		}
		if err := n.Propose(t.Context(), drain("a", true)); err == nil || !strings.Contains(err.Error(), "cannot be applied") {
			t.Errorf("%s takes a proposal: %v", n.cfg.Name, err)
		}
	}
	ns[0].kill()
	again := start(t, ns[0].cfg)
	eventually(t, "it is halted again, and current", func() error {
		if !again.Current() {
			return errors.New("not current: nothing would ever be removed from the kernel")
		}
		return halted(again)()
	})
}

func TestJoiningIsRefusedForOneReasonEach(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "other")
	token := func(n *testnode, life time.Duration) string {
		text, err := n.CreateToken(t.Context(), fsm.RoleDirector, life)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	used := token(a, time.Hour)
	b := config(t, "b")
	if err := Join(t.Context(), b, a.cfg.Bind.String(), used, func(string) {}); err != nil {
		t.Fatal(err)
	}
	expired := token(a, time.Second)
	time.Sleep(2 * time.Second)
	for _, tt := range []struct{ name, token, to, who, want string }{
		{"used", used, a.cfg.Bind.String(), "c", "used up by b"},
		{"expired", expired, a.cfg.Bind.String(), "c", "expired"},
		{"cut off", used[:len(used)-3], a.cfg.Bind.String(), "c", "cut off"},
		{"no token", "hello", a.cfg.Bind.String(), "c", "begins with"},
		{"another cluster", token(other, time.Hour), a.cfg.Bind.String(), "c", "another cluster answered"},
		{"a name that is taken", token(a, time.Hour), a.cfg.Bind.String(), "a", "already taken"},
		{"nobody there", token(a, time.Hour), freePort(t).String(), "c", "no agent of a cluster listens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := a.State().Index
			cfg := config(t, tt.who)
			err := Join(t.Context(), cfg, tt.to, tt.token, func(string) {})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if Exists(cfg.DataDir) || len(a.State().Members) != 2 {
				t.Error("something was changed")
			}
			if now := a.State().Index; now != before && tt.name != "expired" && tt.name != "used" {
				t.Logf("index %d, was %d", now, before)
			}
		})
	}
	if err := Join(t.Context(), b, a.cfg.Bind.String(), used, func(string) {}); err != nil {
		t.Errorf("the same join again: %v", err)
	}
}

func TestDataDirectoriesAreNotMixedUp(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	if err := Init(t.Context(), a.cfg); err == nil || !strings.Contains(err.Error(), "in use by another quorate agent (pid") {
		t.Errorf("init beside a running agent: %v", err)
	}
	a.end()
	if err := Init(t.Context(), a.cfg); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("init again: %v", err)
	}
	renamed := a.cfg
	renamed.Name = "z"
	if _, err := Open(renamed); err == nil || !strings.Contains(err.Error(), "belongs to director a") {
		t.Errorf("under another name: %v", err)
	}
	busy := config(t, "b")
	l, err := net.Listen("tcp", busy.Bind.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Init(t.Context(), busy); err == nil || !strings.Contains(err.Error(), "is in use by another program") || Exists(busy.DataDir) {
		t.Errorf("on a port in use: %v", err)
	}
}

func TestLeavingHandsOverAndCannotHurt(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var leader *testnode
	for _, n := range ns {
		if n.IsLeader() {
			leader = n
		}
	}
	if err := leader.Leave(t.Context(), false, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if Exists(leader.cfg.DataDir) {
		t.Error("data of the cluster is left")
	}
	var rest []*testnode
	for _, n := range ns {
		if n != leader {
			rest = append(rest, n)
		}
	}
	eventually(t, "two members and a leader", func() error {
		servers, err := rest[0].servers()
		if err != nil || len(servers) != 2 || len(rest[0].State().Members) != 2 || rest[0].Leader() == "" {
			return fmt.Errorf("servers %v, %v", servers, err)
		}
		return nil
	})
	back := join(t, rest[0], leader.cfg.Name) // it may come back
	eventually(t, "three again", same(append(rest, back)...))

	back.kill()
	if err := rest[0].Leave(t.Context(), false, func(string) {}); !errors.Is(err, ErrQuorumAtRisk) {
		t.Errorf("a leave that would lose the quorum: %v", err)
	}
	if err := rest[0].Remove(t.Context(), back.cfg.Name, false); err != nil {
		t.Errorf("remove the dead: %v", err)
	}
	removed := start(t, back.cfg)
	eventually(t, "who was removed while away is told", func() error {
		if !errors.Is(removed.Removed(), ErrRemoved) {
			return fmt.Errorf("removed: %v", removed.Removed())
		}
		return nil
	})
	if err := removed.Leave(t.Context(), true, func(string) {}); err != nil || Exists(removed.cfg.DataDir) {
		t.Errorf("it cannot leave: %v", err)
	}
	if err := rest[1].Leave(t.Context(), false, func(string) {}); err != nil {
		t.Errorf("one of two: %v", err)
	}
	eventually(t, "the last leads alone", func() error { return leads(rest[0]) })
	if err := rest[0].Leave(t.Context(), false, func(string) {}); !errors.Is(err, ErrQuorumAtRisk) {
		t.Errorf("the last: %v", err)
	}
	if err := rest[0].Leave(t.Context(), true, func(string) {}); err != nil {
		t.Errorf("the last, forced: %v", err)
	}
}

func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "other")
	for _, alpn := range []string{port.ALPNRaft, port.ALPNHTTP} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := other.dialer.Dial(ctx, a.cfg.Bind, a.id.ID, alpn)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			_, err = c.Read(make([]byte, 1))
		}
		if err == nil {
			t.Errorf("%s: another cluster's certificate is served", alpn)
		}
	}
}
