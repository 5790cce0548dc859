package director

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// table is a kernel that remembers what it was asked to do.
type table struct {
	have ipvs.Table
	ops  []ipvs.Op
}

func (k *table) Table(context.Context) (ipvs.Table, error) { return k.have.Clone(), nil }

func (k *table) Do(_ context.Context, ops []ipvs.Op) []error {
	k.ops = append(k.ops, ops...)
	return make([]error, len(ops))
}

func TestNothingIsRemovedOnTheWordOfAStateThatWasOld(t *testing.T) {
	service := func(port string) fsm.Service {
		return fsm.Service{Name: port, Address: netip.MustParseAddrPort("192.0.2.1:" + port), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT}
	}
	old := &fsm.State{ClusterID: "c", Index: 5, Config: fsm.Config{Services: map[string]fsm.Service{"80": service("80")}}}
	both := fsm.Config{Services: map[string]fsm.Service{"80": service("80"), "81": service("81")}}
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
		Pool:   func(*fsm.State, fsm.Service) []Real { current = true; return nil }, // the log is applied meanwhile
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
