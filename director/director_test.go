package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// table is a kernel that remembers what it was asked to do.
type table struct {
	have  ipvs.Table
	fails error // of a dump
	dumps int
	ops   []ipvs.Op
}

func (k *table) Table(context.Context) (ipvs.Table, error) {
	k.dumps++
	return k.have.Clone(), k.fails
}

func (k *table) Part(ctx context.Context, of func(ipvs.Key) bool) (ipvs.Table, error) {
	t, err := k.Table(ctx)
	for key, entry := range t {
		if !of(key) {
			entry.Dests = nil
			t[key] = entry
		}
	}
	return t, err
}

func (k *table) Do(_ context.Context, ops []ipvs.Op) []error {
	k.ops = append(k.ops, ops...)
	return make([]error, len(ops))
}

// overTable is a director over a kernel that is none. Its pools are all servers.
func overTable(tb testing.TB, k *table, state func() *fsm.State, quorum func() bool) *Director {
	return New(Config{
		Name: "d1", Role: fsm.RoleDirector, State: state, Quorum: quorum,
		Current: func() bool { return true }, Ready: func() bool { return true },
		Pool:   func(_ *fsm.State, svc fsm.Service, _ bool) []Real { return allServers(svc) },
		Tables: ipvs.New(ipvs.Config{Kernel: k, LedgerFile: filepath.Join(tb.TempDir(), "ledger"), Log: hclog.NewNullLogger()}),
		Host:   host.New(host.Config{ReadOnly: true, Log: hclog.NewNullLogger()}), Event: func(string, string, string) {}, Log: hclog.NewNullLogger(),
	})
}

func TestOnlyWhatHasChangedIsLookedAtAndNothingIsMissed(t *testing.T) {
	service := func(port string, servers ...string) fsm.Service {
		svc := fsm.Service{Name: port, Address: netip.MustParseAddrPort("192.0.2.1:" + port), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
		for _, s := range servers {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.MustParseAddrPort(s)})
		}
		return svc
	}
	config := func(services ...fsm.Service) *fsm.State {
		s := &fsm.State{ClusterID: "c", Config: fsm.Config{}}
		for _, svc := range services {
			s.Config.Services = s.Config.Services.With(svc.Name, svc)
		}
		return s
	}
	k := &table{have: ipvs.Table{}}
	state, quorum := config(service("80", "10.0.0.1:80"), service("81", "10.0.0.1:80")), true
	d := overTable(t, k, func() *fsm.State { return state }, func() bool { return quorum })
	d.cfg.Pool = func(_ *fsm.State, svc fsm.Service, quorum bool) []Real {
		if !quorum {
			return nil // its own observations say so
		}
		return allServers(svc)
	}
	for _, tt := range []struct {
		name   string
		change func()
		want   int // operations
	}{
		{"at first all", func() {}, 4},
		{"nothing", func() {}, 0},
		{"one of two that are others now", func() {
			state = config(service("80", "10.0.0.1:80", "10.0.0.2:80"), service("81"))
			d.Changed("80")
		}, 1},
		{"the other", func() { d.Changed("81") }, 1},
		{"another in its place", func() { state = config(service("80", "10.0.0.1:80"), service("82")); d.Changed("80", "81", "82") }, 3},
		{"any", func() { state = config(service("83", "10.0.0.3:80")); d.All() }, 4},
		{"without a quorum its own observations count", func() { quorum = false }, 1},
	} {
		k.ops = nil
		tt.change()
		d.reconcileTable(t.Context())
		if len(k.ops) != tt.want {
			t.Errorf("%s: %d operations, want %d: %v", tt.name, len(k.ops), tt.want, k.ops)
		}
	}
}

func TestNothingIsRemovedOnTheWordOfAStateThatWasOld(t *testing.T) {
	service := func(port string) fsm.Service {
		return fsm.Service{Name: port, Address: netip.MustParseAddrPort("192.0.2.1:" + port), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
	}
	old := &fsm.State{ClusterID: "c", Index: 5, Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"80": service("80")})}}
	both := fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"80": service("80"), "81": service("81")})}
	k := &table{have: Table(both, func(fsm.Service) []Real { return nil })}
	file := filepath.Join(t.TempDir(), "ledger")
	ledger := ipvs.Ledger{}
	for key := range k.have {
		ledger[key] = true
	}
	if err := ledger.Save(file); err != nil {
		t.Fatal(err)
	}
	current := false
	d := New(Config{
		Name: "d1", Role: fsm.RoleDirector,
		State:   func() *fsm.State { return old },
		Current: func() bool { return current },
		Quorum:  func() bool { return true }, Ready: func() bool { return true },
		Pool:   func(*fsm.State, fsm.Service, bool) []Real { current = true; return nil }, // the log is applied meanwhile
		Tables: ipvs.New(ipvs.Config{Kernel: k, LedgerFile: file, Log: hclog.NewNullLogger()}),
		Host:   host.New(host.Config{ReadOnly: true, Log: hclog.NewNullLogger()}), Event: func(string, string, string) {}, Log: hclog.NewNullLogger(),
	})
	d.reconcileTable(t.Context())
	for _, op := range k.ops {
		if op.Verb == ipvs.DelService {
			t.Errorf("removed: %v", op)
		}
	}
}

// anywhere says of no address where it is.
func anywhere() func(netip.Addr) Place { return func(netip.Addr) Place { return Anywhere } }

func TestAPlanIsOfWhatChanges(t *testing.T) {
	service := func(name, address string, servers ...string) *fsm.Service {
		svc := &fsm.Service{Name: name, Address: netip.MustParseAddrPort(address), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
		for _, s := range servers {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.MustParseAddrPort(s)})
		}
		return svc
	}
	web, mail := service("web", "192.0.2.1:80", "10.0.0.1:80"), service("mail", "192.0.2.1:25", "10.0.0.2:25")
	k := &table{have: ipvs.Table{}}
	state := &fsm.State{ClusterID: "c", Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": *web, "mail": *mail})}}
	d := overTable(t, k, func() *fsm.State { return state }, func() bool { return true })
	d.reconcileTable(t.Context())
	k.ops = nil
	for _, tt := range []struct {
		name     string
		services map[string]*fsm.Service
		want     []string
	}{
		{"nothing", nil, nil},
		{"as it is", map[string]*fsm.Service{"web": web}, nil},
		{"another server", map[string]*fsm.Service{"web": service("web", "192.0.2.1:80", "10.0.0.1:80", "10.0.0.3:80")}, []string{
			"add 10.0.0.3:80 to tcp/192.0.2.1:80 (nat, weight 0)",
		}},
		{"another service", map[string]*fsm.Service{"dns": service("dns", "192.0.2.1:53")}, []string{"add tcp/192.0.2.1:53 (wlc)"}},
	} {
		got, _, err := d.Plan(t.Context(), fsm.Delta{Services: tt.services}, anywhere)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q: %v", tt.name, got, tt.want, err)
		}
	}
	if len(k.ops) > 0 {
		t.Errorf("a plan did %v", k.ops)
	}
}

// TestAServiceWithAnotherNameStaysAsItIsInTheKernel has pools of the servers that are agreed to be up.
func TestAServiceWithAnotherNameStaysAsItIsInTheKernel(t *testing.T) {
	server := fsm.Server{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}
	web := fsm.Service{
		Name: "web", Address: netip.MustParseAddrPort("192.0.2.1:80"), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT,
		Checks: []fsm.Check{{Kind: fsm.CheckTCP}}, Servers: []fsm.Server{server},
	}
	shop := web
	shop.Name = "shop"
	state := &fsm.State{
		ClusterID: "c", Level: fsm.LevelKeys, Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": web})},
		Verdicts: fsm.VerdictsOf(map[fsm.ServerKey]fsm.Verdict{{Service: "web", Server: server.Address}: {Health: fsm.Up}}),
	}
	k := &table{have: ipvs.Table{}}
	d := overTable(t, k, func() *fsm.State { return state }, func() bool { return true })
	d.cfg.Pool = func(state *fsm.State, svc fsm.Service, _ bool) []Real {
		if state.Verdict(fsm.ServerKey{Service: svc.Name, Server: server.Address}).Health != fsm.Up {
			return nil
		}
		return allServers(svc)
	}
	d.reconcileTable(t.Context())
	if k.ops = nil; len(d.cfg.Tables.HaveOf([]ipvs.Key{Key(web)})[Key(web)].Dests) != 1 {
		t.Fatal("the server does not serve to begin with")
	}
	renamed := fsm.Delta{Services: map[string]*fsm.Service{"web": nil, "shop": &shop}}
	if ops, _, err := d.Plan(t.Context(), renamed, anywhere); err != nil || len(ops) > 0 {
		t.Errorf("planned: %q, %v", ops, err)
	}
	after, _, err := fsm.Apply(*state, 1, fsm.ChangeConfig{Delta: renamed})
	if err != nil {
		t.Fatal(err)
	}
	state = &after
	d.reconcileTable(t.Context())
	if len(k.ops) > 0 {
		t.Errorf("done: %v", k.ops)
	}
}

// TestAQuorumThatComesAndGoesIsTheSameForAllServicesOfAPass has it flicker with each look: the pools that a pass makes are by one of
// its looks, and the next pass makes all anew if that was another. A look is no small thing where there are thousands of services.
func TestAQuorumThatComesAndGoesIsTheSameForAllServicesOfAPass(t *testing.T) {
	state := &fsm.State{ClusterID: "c", Config: fsm.Config{}}
	for i := range 50 {
		name := fmt.Sprint("s-", i)
		state.Config.Services = state.Config.Services.With(name, fsm.Service{Name: name, Address: netip.MustParseAddrPort(fmt.Sprint("192.0.2.1:", 1+i)), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT})
	}
	looks := 0
	flickers := func() bool { looks++; return looks%2 == 0 }
	d := overTable(t, &table{have: ipvs.Table{}}, func() *fsm.State { return state }, flickers)
	pools := map[bool]int{}
	d.cfg.Pool = func(_ *fsm.State, _ fsm.Service, quorum bool) []Real { pools[quorum]++; return nil }
	for pass := 1; pass <= 4; pass++ {
		d.reconcileTable(t.Context())
		with, without := pass/2*50, (pass+1)/2*50
		if looks != pass || pools[true] != with || pools[false] != without {
			t.Fatalf("after %d passes: %d looks, %d pools with the quorum and %d without", pass, looks, pools[true], pools[false])
		}
	}
}

// TestATableThatSomebodyEmptiedIsAFewEvents has a large one: the agent remembers a bounded number of events.
func TestATableThatSomebodyEmptiedIsAFewEvents(t *testing.T) {
	state := &fsm.State{ClusterID: "c", Config: fsm.Config{}}
	for i := range 100 {
		name := fmt.Sprint("s-", i)
		state.Config.Services = state.Config.Services.With(name, fsm.Service{Name: name, Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1+i)), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT})
	}
	k := &table{have: ipvs.Table{}} // what is done to it is not there
	d := overTable(t, k, func() *fsm.State { return state }, func() bool { return true })
	var events []string
	d.cfg.Event = func(_, _, text string) { events = append(events, text) }
	d.reconcileTable(t.Context())
	k.ops = nil
	if !d.audit(func() (ipvs.Result, error) { return d.cfg.Tables.Audit(t.Context()) }) || len(k.ops) != 100 {
		t.Fatalf("%d changes", len(k.ops))
	}
	if len(events) != maxDrift+1 || events[maxDrift] != "healed on d1: 80 more changes" {
		t.Errorf("%d events, the last %q", len(events), events[len(events)-1])
	}
}

// TestAnOrderThatFailedIsReplacedByTheOneBefore has the quorum gone and back while no keeper answers: one that comes then is given
// the last order that there was.
func TestAnOrderThatFailedIsReplacedByTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := state()
		st.ClusterID = "c"
		var quorum, answers atomic.Bool
		quorum.Store(true)
		answers.Store(true)
		var given atomic.Pointer[keeper.Order]
		d := overTable(t, &table{}, func() *fsm.State { return st }, quorum.Load)
		d.cfg.Blocked = func(*fsm.State) map[string]string { return nil }
		d.cfg.Insists = func(*fsm.State) map[string]bool { return nil }
		d.cfg.Apart = func() bool { return false }
		d.cfg.Order = func(_ context.Context, o keeper.Order) error {
			given.Store(&o)
			if !answers.Load() {
				return errors.New("the keeper does not answer")
			}
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.orders(ctx)
		}()
		synctest.Wait()
		want := given.Load()
		for _, now := range []bool{false, true} {
			quorum.Store(now)
			answers.Store(now)
			d.Poke()
			synctest.Wait()
		}
		if diff := cmp.Diff(want, given.Load(), byText); diff != "" {
			t.Errorf("the last order is not that of a director with a quorum (-want +got):\n%s", diff)
		}
		if serious, _ := d.Problems(); len(serious) > 0 {
			t.Errorf("problems: %q", serious)
		}
		stop()
		<-done
	})
}

// TestAnAuditThatFailsIsTriedAgainWithoutMakingAllAnew fails each dump for three audits: all services are looked at once at
// first and once for each, and not once a second.
func TestAnAuditThatFailsIsTriedAgainWithoutMakingAllAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := fsm.Service{Name: "web", Address: netip.MustParseAddrPort("192.0.2.1:80"), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
		state := &fsm.State{ClusterID: "c", Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": svc})}}
		k := &table{have: ipvs.Table{}}
		d := overTable(t, k, func() *fsm.State { return state }, func() bool { return true })
		looks := 0
		d.cfg.Pool = func(*fsm.State, fsm.Service, bool) []Real { looks++; return nil }
		d.beside.at = time.Now().Add(time.Hour) // nothing beside the table is due
		d.reconcile(t.Context())
		k.fails, k.dumps = errors.New("no dump"), 0
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.tables(ctx)
		}()
		time.Sleep(3*auditEvery + auditEvery/2)
		stop()
		<-done
		if looks != 1+3 || k.dumps < int(auditEvery/time.Second) { // a part that is due at the same moment may have its turn instead
			t.Errorf("all services were looked at %d times, and the kernel's table %d", looks, k.dumps)
		}
	})
}

// TestWhatNobodyToldOfIsFoundInPartsWithinAnAudit has services come, change and go without a word, and holds that no part of an
// audit looks at most of them.
func TestWhatNobodyToldOfIsFoundInPartsWithinAnAudit(t *testing.T) {
	const services = 150
	synctest.Test(t, func(t *testing.T) {
		first := map[string]fsm.Service{}
		for i := range services {
			name := fmt.Sprint("s-", i)
			first[name] = fsm.Service{Name: name, Address: netip.MustParseAddrPort(fmt.Sprint("192.0.2.1:", 1+i)), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
		}
		gone := fsm.Service{Name: "gone", Address: netip.MustParseAddrPort("192.0.2.2:80"), Protocol: fsm.TCP, Scheduler: "sed", Forward: fsm.NAT}
		first["gone"] = gone
		then := maps.Clone(first)
		delete(then, "gone")
		come, other := gone, first["s-7"]
		come.Name, come.Scheduler, other.Scheduler = "come", "rr", "rr"
		come.Address = netip.MustParseAddrPort("192.0.2.3:80")
		then["come"], then["s-7"] = come, other
		var state atomic.Pointer[fsm.State]
		state.Store(&fsm.State{ClusterID: "c", Config: fsm.Config{Services: fsm.MapOf(first)}})
		k := &table{have: ipvs.Table{}}
		d := overTable(t, k, state.Load, func() bool { return true })
		var looks atomic.Int64
		d.cfg.Pool = func(*fsm.State, fsm.Service, bool) []Real { looks.Add(1); return nil }
		d.beside.at = time.Now().Add(time.Hour) // nothing beside the table is due
		d.reconcile(t.Context())
		k.have, k.ops = d.Have(), nil
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.tables(ctx)
		}()
		time.Sleep(time.Second / 2)
		state.Store(&fsm.State{ClusterID: "c", Config: fsm.Config{Services: fsm.MapOf(then)}})
		for range auditParts {
			looks.Store(0)
			time.Sleep(auditEvery / auditParts)
			if n := looks.Load(); n > services/4 {
				t.Errorf("one part looks at %d services of %d", n, services)
			}
		}
		stop()
		<-done
		verbs := map[ipvs.Verb]int{}
		for _, op := range k.ops {
			verbs[op.Verb]++
		}
		if verbs[ipvs.AddService] == 0 || verbs[ipvs.SetService] == 0 || verbs[ipvs.DelService] == 0 {
			t.Errorf("done: %v", k.ops)
		}
		if slices.Contains(d.features.Schedulers, "sed") || !slices.Contains(d.features.Schedulers, "rr") {
			t.Errorf("schedulers: %v", d.features.Schedulers)
		}
	})
}
