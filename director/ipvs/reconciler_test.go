package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

var errRefused = errors.New("refused")

// fakeKernel is a kernel's table, with the faults that a test gives it.
type fakeKernel struct {
	table   Table
	ops     []Op                 // all that were asked for
	refuse  func(Op) bool        // nil: none
	distort func(n int, t Table) // changes what the nth dump shows; nil: nothing
	before  func()               // runs before operations are carried out
	gone    error                // of every call
	dumps   int
	read    int // services whose destinations were read
}

func (k *fakeKernel) Table(ctx context.Context) (Table, error) {
	return k.Part(ctx, func(Key) bool { return true })
}

func (k *fakeKernel) Part(_ context.Context, of func(Key) bool) (Table, error) {
	if k.gone != nil {
		return nil, k.gone
	}
	k.dumps++
	t := k.table.Clone()
	if k.distort != nil {
		k.distort(k.dumps, t)
	}
	for key, entry := range t {
		if !of(key) {
			t[key] = Entry{Service: entry.Service, Dests: map[netip.AddrPort]Dest{}}
			continue
		}
		k.read++
	}
	return t, nil
}

func (k *fakeKernel) Do(_ context.Context, ops []Op) []error {
	if k.before != nil {
		k.before()
	}
	errs := make([]error, len(ops))
	for i, op := range ops {
		k.ops = append(k.ops, op)
		_, there := k.table[op.Key]
		switch {
		case k.gone != nil:
			errs[i] = k.gone
		case k.refuse != nil && k.refuse(op), !there && (op.Verb == AddDest || op.Verb == SetDest):
			errs[i] = errRefused
		default:
			k.table.apply(op)
		}
	}
	return errs
}

// rig is a reconciler over a fake kernel.
type rig struct {
	*Reconciler
	t      *testing.T
	kernel *fakeKernel
	cfg    Config
}

func newRig(t *testing.T, have Table, ours ...Key) *rig {
	t.Helper()
	k := &fakeKernel{table: have.Normalize()}
	cfg := Config{Kernel: k, LedgerFile: filepath.Join(t.TempDir(), "ipvs.json"), Log: hclog.NewNullLogger()}
	ledger := make(Ledger)
	for _, key := range ours {
		ledger[key] = true
	}
	if err := ledger.Save(cfg.LedgerFile); err != nil {
		t.Fatal(err)
	}
	return &rig{New(cfg), t, k, cfg}
}

func (r *rig) apply(d Desired) Result {
	r.t.Helper()
	result, err := r.Apply(r.t.Context(), d)
	if err != nil {
		r.t.Errorf("Apply: %v", err)
	}
	return result
}

func (r *rig) audit() Result {
	r.t.Helper()
	result, err := r.Audit(r.t.Context())
	if err != nil {
		r.t.Errorf("Audit: %v", err)
	}
	return result
}

func (r *rig) check(want Table) {
	r.t.Helper()
	if diff := cmp.Diff(want.Normalize(), r.kernel.table, compare); diff != "" {
		r.t.Errorf("the kernel's table (-want +got):\n%s", diff)
	}
}

var (
	web, mail, dns = tcp("192.0.2.1:80"), tcp("192.0.2.1:25"), udp("192.0.2.1:53")
	one            = Dest{Weight: 1}
)

func entry(addrs ...string) Entry { return Entry{Service{Scheduler: "wlc"}, dests(one, addrs...)} }

func TestStartAdoptsWhatIsThereAndDeletesNothingUntilTheStateIsComplete(t *testing.T) {
	r := newRig(t, Table{web: entry("10.0.0.1:80", "10.0.0.2:80"), mail: entry("10.0.0.1:25"), dns: entry("10.0.0.1:53")}, mail)
	want := Table{web: entry("10.0.0.2:80", "10.0.0.3:80")}
	got := r.apply(Desired{Table: want})
	r.check(Table{web: entry("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"), mail: entry("10.0.0.1:25"), dns: entry("10.0.0.1:53")})
	if len(got.Withheld) != 2 || !slices.Equal(got.Foreign, []Key{dns}) {
		t.Errorf("withheld %v, foreign %v; want 2 removals and %v", got.Withheld, got.Foreign, dns)
	}
	if got := r.audit(); len(got.Withheld) != 2 || len(got.Done)+len(got.Drift) != 0 {
		t.Errorf("audit of an incomplete state: %+v", got)
	}
	if got := r.apply(Desired{Table: want, Complete: true}); len(got.Done) != 2 {
		t.Errorf("done %v, want the two removals", got.Done)
	}
	r.check(Table{web: want[web], dns: entry("10.0.0.1:53")})
	if ledger, err := LoadLedger(r.cfg.LedgerFile); err != nil || !cmp.Equal(ledger, Ledger{web: true}) {
		t.Errorf("ledger = %v, %v; want %v alone", ledger, err, web)
	}
}

func TestASecondApplyOfTheSameWritesAndReadsNothing(t *testing.T) {
	r := newRig(t, nil)
	want := Table{web: entry("10.0.0.1:80")}
	r.apply(Desired{Table: want, Complete: true})
	ops, dumps := len(r.kernel.ops), r.kernel.dumps
	got := r.apply(Desired{Table: want, Complete: true})
	if len(got.Done) != 0 || len(r.kernel.ops) != ops || r.kernel.dumps != dumps {
		t.Errorf("second apply: %+v, %d operations, %d dumps", got, len(r.kernel.ops)-ops, r.kernel.dumps-dumps)
	}
}

func TestAChangeLooksOnlyAtTheServicesThatItNames(t *testing.T) {
	r := newRig(t, nil)
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25"), dns: entry("10.0.0.1:53")}, Complete: true})
	r.kernel.ops = nil
	r.apply(Desired{Table: Table{web: entry("10.0.0.2:80")}, Changed: []Key{web, dns}, Complete: true})
	r.check(Table{web: entry("10.0.0.2:80"), mail: entry("10.0.0.1:25")})
	if len(r.kernel.ops) != 3 {
		t.Errorf("operations %v, want 3", r.kernel.ops)
	}
	if got := r.audit(); len(got.Drift) != 0 {
		t.Errorf("drift after a partial change: %v", got.Drift)
	}
}

func TestAServiceThatWasForeignIsAdoptedInPlace(t *testing.T) {
	r := newRig(t, Table{web: entry("10.0.0.1:80", "10.0.0.9:80")})
	r.apply(Desired{Complete: true})
	r.check(Table{web: entry("10.0.0.1:80", "10.0.0.9:80")})
	got := r.apply(Desired{Table: Table{web: entry("10.0.0.1:80")}, Changed: []Key{web}, Complete: true})
	r.check(Table{web: entry("10.0.0.1:80")})
	if len(got.Foreign) != 0 {
		t.Errorf("foreign after the adoption: %v", got.Foreign)
	}
	for _, op := range r.kernel.ops {
		if op.Verb == DelService || op.Verb == AddService {
			t.Errorf("%v: the service was there", op)
		}
	}
	r.apply(Desired{Changed: []Key{web}, Complete: true})
	r.check(nil)
}

func TestAnAuditReportsDriftAndHealsIt(t *testing.T) {
	r := newRig(t, nil)
	want := Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")}
	r.apply(Desired{Table: want, Complete: true})
	delete(r.kernel.table, mail)
	r.kernel.table[web].Dests[netip.MustParseAddrPort("10.0.0.1:80")] = Dest{Weight: 9}
	r.kernel.table[web].Dests[netip.MustParseAddrPort("10.0.0.7:80")] = one
	r.kernel.table[dns] = Table{dns: entry("10.0.0.1:53")}.Normalize()[dns]
	got := r.audit()
	r.check(Table{web: want[web], mail: want[mail], dns: entry("10.0.0.1:53")})
	if len(got.Drift) != 4 || !slices.Equal(got.Drift, got.Done) || !slices.Equal(got.Foreign, []Key{dns}) {
		t.Errorf("audit: %+v", got)
	}
	if got := r.audit(); len(got.Drift) != 0 {
		t.Errorf("the second audit finds %v", got.Drift)
	}
}

// glances has all parts of an audit made, and returns what they found.
func glances(ctx context.Context, r *Reconciler, parts uint32) (all Result, err error) {
	for part := range parts {
		result, failed := r.Glance(ctx, part, parts)
		err = errors.Join(err, failed)
		all.Drift, all.Done, all.Foreign = append(all.Drift, result.Drift...), append(all.Done, result.Done...), result.Foreign
	}
	return all, err
}

func (r *rig) glances(parts uint32) Result {
	r.t.Helper()
	all, err := glances(r.t.Context(), r.Reconciler, parts)
	if err != nil {
		r.t.Errorf("Glance: %v", err)
	}
	return all
}

// TestAnAuditInPartsFindsWhatAWholeOneDoes makes one kind of drift after the other, among so many services that each part has
// some, and holds that nothing but a part of the destinations is read while there is none.
func TestAnAuditInPartsFindsWhatAWholeOneDoes(t *testing.T) {
	const services, parts = 100, 5
	r := newRig(t, Table{dns: entry("10.0.0.1:53")})
	want := Table{}
	for i := range services {
		want[tcp(fmt.Sprintf("192.0.2.2:%d", 1+i))] = entry("10.0.0.1:80", "10.0.0.2:80")
	}
	want[web], want[mail] = entry("10.0.0.1:80"), entry("10.0.0.1:25")
	r.apply(Desired{Table: want, Complete: true})
	first, seventh := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.7:80")
	foreign := udp("192.0.2.9:9")
	for _, tt := range []struct {
		name  string
		drift func(Table)
		want  int // operations
	}{
		{"none", func(Table) {}, 0},
		{"a service is gone", func(t Table) { delete(t, mail) }, 2},
		{"its settings are others", func(t Table) { t[web] = Entry{Service{Scheduler: "rr", Netmask: 32}, t[web].Dests} }, 1},
		{"a weight is another", func(t Table) { t[web].Dests[first] = Dest{Weight: 9} }, 1},
		{"a destination is gone", func(t Table) { delete(t[web].Dests, first) }, 1},
		{"there is one more", func(t Table) { t[web].Dests[seventh] = one }, 1},
		{"a foreign service comes", func(t Table) { t[foreign] = Table{foreign: entry("10.0.0.1:9")}.Normalize()[foreign] }, 0},
		{"and changes", func(t Table) { t[foreign].Dests[seventh] = one }, 0},
		{"and goes", func(t Table) { delete(t, foreign) }, 0},
	} {
		tt.drift(r.kernel.table)
		_, comes := r.kernel.table[foreign]
		r.kernel.dumps, r.kernel.read = 0, 0
		got := r.glances(parts)
		if len(got.Drift) != tt.want || !slices.Equal(got.Drift, got.Done) || slices.Contains(got.Foreign, foreign) != comes || !slices.Contains(got.Foreign, dns) {
			t.Errorf("%s: drift %v, done %v, foreign %v", tt.name, got.Drift, got.Done, got.Foreign)
		}
		if all := len(r.kernel.table); tt.want == 0 && (r.kernel.dumps != parts || r.kernel.read != all) {
			t.Errorf("%s: %d services were read in %d dumps, of %d", tt.name, r.kernel.read, r.kernel.dumps, all)
		}
		if have := r.Have(); !cmp.Equal(have, r.kernel.table, compare) {
			t.Errorf("%s: known is %v", tt.name, cmp.Diff(r.kernel.table, have, compare))
		}
		delete(r.kernel.table, foreign)
		r.check(func() Table { all := maps.Clone(want); all[dns] = entry("10.0.0.1:53"); return all }())
		if comes {
			r.kernel.table[foreign] = r.Have()[foreign]
		}
	}
	r.kernel.read = 0
	if _, err := r.Glance(t.Context(), 1, parts); err != nil || r.kernel.read < services/parts/2 || r.kernel.read > services/parts*2 {
		t.Errorf("one part reads %d services: %v", r.kernel.read, err)
	}
}

func TestOnePartOfAnAuditIsNotBelieved(t *testing.T) {
	r := newRig(t, nil)
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")}, Complete: true})
	r.kernel.ops, r.kernel.dumps = nil, 0
	r.kernel.distort = func(n int, t Table) {
		if n == 1 {
			delete(t, mail)
			t[web].Dests[netip.MustParseAddrPort("10.0.0.7:80")] = one
		}
	}
	if got := r.glances(3); len(got.Drift) != 0 || len(r.kernel.ops) != 0 || r.kernel.dumps != 4 {
		t.Errorf("%+v, operations %v, %d dumps", got, r.kernel.ops, r.kernel.dumps)
	}
}

func TestWhoKeepsChangingOurServicesIsMetOnceInARound(t *testing.T) {
	const parts = 15
	r := newRig(t, nil)
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")}, Complete: true})

	for round := range 3 {
		r.kernel.dumps = 0
		drift := 0
		for part := range uint32(parts) {
			delete(r.kernel.table, mail)
			got, err := r.Glance(t.Context(), part, parts)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Drift) > 0 {
				drift++
			}
		}
		if drift != 1 || r.kernel.dumps != parts+2 {
			t.Errorf("round %d: drift is found %d times, in %d dumps", round, drift, r.kernel.dumps)
		}
	}

	if _, err := r.Glance(t.Context(), 0, parts); err != nil {
		t.Fatal(err)
	}
	r.check(Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")})
	r.kernel.dumps = 0
	r.glances(parts)
	if r.glances(parts); r.kernel.dumps != 2*parts {
		t.Errorf("once it is over there are %d dumps in two rounds", r.kernel.dumps)
	}
}

// What a part finds in a round whose drift was healed already is healed with the first part of the next, wherever it is.
func TestWhatIsFoundAfterADriftWasHealedIsOwed(t *testing.T) {
	const parts = 15
	want := Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")}
	if mail.share(parts) == 0 {
		t.Fatal("the service is in the first part")
	}
	r := newRig(t, nil)
	r.apply(Desired{Table: want, Complete: true})
	delete(r.kernel.table, web)
	for part := range uint32(parts) {
		if _, err := r.Glance(t.Context(), part, parts); err != nil {
			t.Fatal(err)
		}
		if part == 0 {
			r.check(want)
			r.kernel.table[mail].Dests[netip.MustParseAddrPort("10.0.0.7:80")] = one
		}
	}
	if _, err := r.Glance(t.Context(), 0, parts); err != nil {
		t.Fatal(err)
	}
	r.check(want)
}

func TestWithoutQuorumAServiceThatIsGoneIsNoReasonToReadTheWholeTable(t *testing.T) {
	r := newRig(t, nil, mail) // ours, neither wanted nor there
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80")}})
	r.kernel.dumps = 0
	if r.glances(3); r.kernel.dumps != 3 {
		t.Errorf("%d dumps for three parts", r.kernel.dumps)
	}
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80")}, Complete: true})
	r.glances(3)
	if ledger, _ := LoadLedger(r.cfg.LedgerFile); ledger.Has(mail) {
		t.Errorf("ledger %v", ledger)
	}
}

func TestOneDumpIsNotBelieved(t *testing.T) {
	r := newRig(t, nil)
	want := Table{web: entry("10.0.0.1:80"), mail: entry("10.0.0.1:25")}
	r.apply(Desired{Table: want, Complete: true})
	r.kernel.ops = nil
	r.kernel.distort = func(n int, t Table) {
		if n == 3 { // the first of the audit
			delete(t, mail)
			t[web].Dests[netip.MustParseAddrPort("10.0.0.7:80")] = one
		}
	}
	if got := r.audit(); len(got.Drift) != 0 || len(got.Disputed) != 3 || len(r.kernel.ops) != 0 {
		t.Errorf("audit: %+v, operations %v", got, r.kernel.ops)
	}
}

func TestAServiceLeavesTheLedgerOnlyWhenTwoDumpsLackIt(t *testing.T) {
	r := newRig(t, Table{mail: entry()}, mail, dns)
	r.kernel.distort = func(n int, t Table) {
		if n == 1 {
			delete(t, mail)
		}
	}
	r.apply(Desired{Complete: true}) // mail is ours and unwanted, but the first dump lacks it
	r.check(Table{mail: entry()})
	if ledger, _ := LoadLedger(r.cfg.LedgerFile); !ledger.Has(mail) || ledger.Has(dns) {
		t.Errorf("ledger %v, want %v alone", ledger, mail)
	}
	r.audit()
	r.check(nil)
}

func TestARefusedChangeDoesNotStopTheOthersAndIsTriedAgain(t *testing.T) {
	r := newRig(t, nil)
	bad := netip.MustParseAddrPort("10.0.0.2:80")
	r.kernel.refuse = func(op Op) bool { return op.Addr == bad }
	want := Table{web: entry("10.0.0.1:80", "10.0.0.2:80"), mail: entry("10.0.0.1:25")}
	got, err := r.Apply(t.Context(), Desired{Table: want, Complete: true})
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "add 10.0.0.2:80 to tcp/192.0.2.1:80") || len(got.Failed) != 1 || len(got.Done) != 4 {
		t.Errorf("Apply = %+v, %v", got, err)
	}
	r.kernel.refuse = nil
	r.apply(Desired{Table: Table{mail: want[mail]}, Changed: []Key{mail}, Complete: true})
	r.check(want)
}

func TestTheLedgerIsOnDiskBeforeTheKernelHears(t *testing.T) {
	r := newRig(t, nil)
	r.kernel.before = func() {
		if ledger, err := LoadLedger(r.cfg.LedgerFile); err != nil || !ledger.Has(web) {
			t.Errorf("ledger at the time of the change: %v, %v", ledger, err)
		}
	}
	r.apply(Desired{Table: Table{web: entry("10.0.0.1:80")}, Complete: true})
}

func TestADiskThatIsFullDoesNotStopTheTable(t *testing.T) {
	r := newRig(t, nil)
	if err := os.RemoveAll(filepath.Dir(r.cfg.LedgerFile)); err != nil {
		t.Fatal(err)
	}
	want := Table{web: entry("10.0.0.1:80")}
	if _, err := r.Apply(t.Context(), Desired{Table: want, Complete: true}); err == nil {
		t.Error("Apply says nothing of the ledger that cannot be written")
	}
	r.check(want)
	if err := os.Mkdir(filepath.Dir(r.cfg.LedgerFile), 0o755); err != nil {
		t.Fatal(err)
	}
	r.audit()
	if ledger, err := LoadLedger(r.cfg.LedgerFile); err != nil || !ledger.Has(web) {
		t.Errorf("ledger after the disk came back: %v, %v", ledger, err)
	}
}

func TestADamagedLedgerIsSetAside(t *testing.T) {
	r := newRig(t, Table{web: entry("10.0.0.1:80"), mail: entry()}, web, mail)
	if err := os.WriteFile(r.cfg.LedgerFile, []byte(`{"version":1,"serv`), 0o644); err != nil {
		t.Fatal(err)
	}
	r.apply(Desired{Table: Table{web: entry("10.0.0.2:80")}, Complete: true})
	r.check(Table{web: entry("10.0.0.2:80"), mail: entry()})
	if _, err := os.Stat(r.cfg.LedgerFile + ".damaged"); err != nil {
		t.Error(err)
	}
}

func TestAKernelThatGetsIPVSLaterIsFilledByTheNextAudit(t *testing.T) {
	r := newRig(t, nil)
	r.kernel.gone = ErrNoIPVS
	want := Table{web: entry("10.0.0.1:80")}
	if _, err := r.Apply(t.Context(), Desired{Table: want, Complete: true}); !errors.Is(err, ErrNoIPVS) {
		t.Errorf("Apply = %v, want %v", err, ErrNoIPVS)
	}
	r.kernel.gone = nil
	r.audit()
	r.check(want)
}

func TestAuditBeforeAnythingIsDesiredDoesNothing(t *testing.T) {
	r := newRig(t, Table{web: entry("10.0.0.1:80")}, web)
	if r.audit(); r.kernel.dumps != 0 {
		t.Error("the kernel was asked")
	}
	r.check(Table{web: entry("10.0.0.1:80")})
}

// TestAnyMutationConverges is the property of the whole: whatever is done to the table, and
// whatever is refused for a while, one clean audit makes the wanted services right, and foreign
// services are as their owner left them.
func TestAnyMutationConverges(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		foreign := Table{udp("203.0.113.1:1"): entry("10.0.0.1:1")}
		r := newRig(t, foreign)
		want := randomTable(rnd)
		for range 5 {
			r.kernel.refuse = func(Op) bool { return rnd.IntN(4) == 0 }
			next := randomTable(rnd)
			_, _ = r.Apply(t.Context(), Desired{Table: next, Complete: rnd.IntN(2) == 0})
			want = next
			for key, entry := range r.kernel.table { // somebody's hand on what is ours
				if _, other := foreign[key]; !other && rnd.IntN(3) == 0 {
					entry.Dests[netip.MustParseAddrPort("10.9.9.9:9")] = one
				}
			}
		}
		r.kernel.refuse = nil
		r.apply(Desired{Table: want, Complete: true})
		r.audit()
		expect := want.Clone()
		maps.Copy(expect, foreign.Normalize())
		if r.check(expect); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
