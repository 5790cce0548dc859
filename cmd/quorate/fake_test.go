package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// errAlone is what an agent without a cluster says.
var errAlone = errors.New("this agent is in no cluster: make one with `quorate init`")

// alone is an agent without a cluster. Its other methods are never called.
type alone struct{ api.Agent }

func (alone) Status(context.Context) (api.Status, error) {
	return api.Status{
		Name: "d1", Version: "1.0", Directors: []api.DirectorStatus{}, Groups: []api.GroupStatus{},
		Services: []api.ServiceStatus{}, Warnings: []string{errAlone.Error()},
	}, nil
}

func (alone) Leave(context.Context, api.LeaveRequest, api.Progress) error { return errAlone }

func (alone) Init(_ context.Context, p api.Progress) error {
	p("cluster made")
	p("d1 is ready")
	return nil
}

func (alone) Join(_ context.Context, r api.JoinRequest, p api.Progress) error {
	p("asking " + r.Address)
	p("waiting: is not a voter yet")
	return errors.New("d1 is a member, but not ready after 1m0s: is not a voter yet")
}

// former is an agent that is no member any more.
type former struct{ api.Agent }

func (former) Status(context.Context) (api.Status, error) {
	return api.Status{
		Name: "d2", Version: "1.0", Cluster: "c0ffee", Revision: 7, AppliedIndex: 42, FeatureLevel: 1, Voters: 2, Answering: 1, Former: true,
		Directors: []api.DirectorStatus{{Name: "d1", State: "unreachable", Role: "director", Address: "192.0.2.2:7400", Version: "1.0"}},
		Groups:    []api.GroupStatus{{Name: "web", Epoch: 3, Reason: "the members know: d2 is none any more", Order: []string{}, Addresses: []string{"192.0.2.1/24"}, State: "backup"}},
		Services:  []api.ServiceStatus{}, Warnings: []string{"d2 is no longer a member of the cluster (as of log entry 50), says d1"},
	}, nil
}

// whole is an agent of a cluster in which all is well.
type whole struct {
	api.Agent

	applied []api.ApplyRequest
	terms   []api.Terms // of all that was asked to be changed
}

// on notes the terms of a change, and answers it.
func (w *whole) on(t api.Terms, res api.ApplyResult) (api.ApplyResult, error) {
	w.terms = append(w.terms, t)
	if t.Confirm > 0 {
		res.Until = noon.Add(t.Confirm)
	}
	return res, nil
}

// current is the configuration of the cluster.
func current() fsm.Config {
	return config.WithDefaults(fsm.Config{Routers: map[string]fsm.Router{
		"web": {Name: "web", VRID: 51, Interface: "wan", Addresses: prefixes("192.0.2.1/24")},
	}})
}

func (w *whole) Status(context.Context) (api.Status, error) {
	director := func(name, address string) api.DirectorStatus {
		return api.DirectorStatus{Name: name, State: "alive", Ready: true, Role: "director", Address: address, Version: "1.0", AppliedIndex: 42, StateHash: "00ff", CertificateIssued: noon, CertificateExpires: noon.AddDate(1, 0, 0)}
	}
	return api.Status{
		Name: "d1", Version: "1.0", Cluster: "c0ffee", Leader: "d2", Quorum: true, Revision: 7, AppliedIndex: 42, FeatureLevel: 1, StateHash: "00ff",
		ClusterEpoch: 1, Voters: 2, Answering: 2,
		Directors: []api.DirectorStatus{director("d1", "192.0.2.2:7400"), director("d2", "192.0.2.3:7400")},
		Groups: []api.GroupStatus{{
			Name: "web", Owner: "d1", Epoch: 3, Named: "d1", Reason: "d2 drains", Order: []string{"d2"}, Next: []string{"d2"}, Addresses: []string{"192.0.2.1/24"}, State: "active", Priority: 224,
		}},
		Services: []api.ServiceStatus{{Name: "web", Address: "192.0.2.1:80", Scheduler: "wlc", Forward: "nat", Servers: []api.ServerStatus{
			{Address: "198.51.100.11:80", Verdict: "up", Weight: 3, Configured: 3, Seen: map[string]string{"d1": "up", "d2": "up"}},
			{Address: "198.51.100.250:80", Verdict: "unknown", Configured: 1, Fallback: true, Seen: map[string]string{}},
		}}},
		Warnings: []string{},
	}, nil
}

func (w *whole) Explain(_ context.Context, group string) (api.Explanation, error) {
	if group != "web" {
		return api.Explanation{}, errors.New(`no group "` + group + `": there are web`)
	}
	return api.Explanation{
		Group: "web", Owner: "d1", Since: noon, Epoch: 3, Named: "d1", Reason: "d2 drains", Order: []string{"d2", "d3"}, Next: []string{"d2"}, Cannot: []string{"d3 does not answer"}, Placement: "sticky: it stays where it is",
		Members: []api.Attestation{
			{Name: "d1", Part: "active", Since: noon, Reason: "claim", Priority: 224, Epoch: 3, Ready: true},
			{Name: "d2", Part: "backup", Since: noon, Reason: "better advert from 192.0.2.2", Priority: 183, Epoch: 3, Ready: true, Hears: map[string]string{"web": "d1"}, Gone: []string{"d3"}},
			{Name: "d3", Error: "ask d3: no route to host"},
		},
		Decisions: []api.Decision{
			{Time: noon.Add(-time.Second), Director: "d2", Kind: "place", Text: "web is to move to d1: d2 drains", Inputs: []string{"log: epoch 2 names d2, then d1, d3", "d1: ready", "d2: owner, ready, drains"}},
			{Time: noon, Director: "d1", Kind: "move", Text: "d1 took web from d2: d2 drains", Inputs: []string{"log: epoch 2 names d2, then d1, d3; to move to d1: d2 drains", "d1: standby, ready, in the quorum"}},
		},
	}, nil
}

func (w *whole) Config(context.Context) (fsm.Config, uint64, error) { return current(), 7, nil }

func (w *whole) Plan(_ context.Context, r api.ApplyRequest) (api.Plan, error) {
	p := api.Plan{Base: 7, Changes: config.Diff(current(), config.WithDefaults(r.Config)), Problems: config.Problems{}, Kernel: map[string][]string{"d1": {}}, Risks: []api.Risk{}}
	if r.Config.Services.Len() > 0 {
		p.Kernel["d1"], p.Connections = []string{"-A -t 192.0.2.1:80 -s rr"}, 3
		p.Risks = []api.Risk{{Connections: 2, Why: "router web moves from interface wan to lan"}, {Connections: 1, Why: "service mail is removed"}}
	}
	return p, nil
}

func (w *whole) Apply(_ context.Context, r api.ApplyRequest) (api.ApplyResult, error) {
	w.applied = append(w.applied, r)
	return w.on(r.Terms, api.ApplyResult{Revision: r.Base + 1, Index: 43})
}

func (w *whole) History(context.Context) ([]api.Revision, error) {
	return []api.Revision{
		{Revision: 7, Time: noon.Add(time.Minute), Author: "eve@d2", Message: "for the sale", Summary: "change server web/198.51.100.11:80 (weight 1 -> 3)", Until: noon.Add(2 * time.Minute)},
		{Revision: 6, Time: noon, Author: "root@d1", Cause: "rollback to revision 4", Summary: "remove service mail", Confirmed: "root@d1"},
		{Revision: 5, Time: noon.Add(-time.Hour), Author: "d3", Cause: "takes back revision 4: it was not confirmed in time", Summary: "add service mail"},
	}, nil
}

func (w *whole) ConfigAt(_ context.Context, revision uint64) (fsm.Config, error) {
	if revision == 6 {
		return fsm.Config{}, nil
	}
	if revision != 7 {
		return fsm.Config{}, errors.New("revision 5: not found: there are 6 to 7, `quorate history` lists them")
	}
	return current(), nil
}

func (w *whole) Diff(ctx context.Context, from, to uint64) ([]config.Change, error) {
	before, err := w.ConfigAt(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := w.ConfigAt(ctx, to)
	return config.DiffKeys(before, after), err
}

func (w *whole) PlanRollback(ctx context.Context, r api.RollbackRequest) (api.Plan, error) {
	cfg, err := w.ConfigAt(ctx, r.Revision)
	if err != nil {
		return api.Plan{}, err
	}
	return w.Plan(ctx, api.ApplyRequest{Config: cfg})
}

func (w *whole) Rollback(_ context.Context, r api.RollbackRequest) (api.ApplyResult, error) {
	return w.on(r.Terms, api.ApplyResult{Revision: r.Base + 1, Index: 43})
}

func (w *whole) PlanEdit(ctx context.Context, r api.EditRequest) (api.Plan, error) {
	d, err := config.Edited(current(), r.Edits)
	if err != nil {
		return api.Plan{}, err
	}
	return w.Plan(ctx, api.ApplyRequest{Config: d.Apply(current())})
}

func (w *whole) Edit(_ context.Context, r api.EditRequest) (api.ApplyResult, error) {
	d, err := config.Edited(current(), r.Edits)
	if err != nil {
		return api.ApplyResult{}, err
	}
	res := api.ApplyResult{Revision: 8, Index: 43, Changes: config.Diff(current(), d.Apply(current()))}
	if len(res.Changes) == 0 {
		res.Revision = 7
	}
	return w.on(r.Terms, res)
}

func (w *whole) Confirm(_ context.Context, r api.ConfirmRequest) (api.ApplyResult, error) {
	if r.Revision == 5 {
		return api.ApplyResult{}, errors.New("revision 5 does not wait to be confirmed: the state has changed since")
	}
	return api.ApplyResult{Revision: 7, Index: 43}, nil
}

func (w *whole) UpgradeStatus(context.Context) (api.UpgradeStatus, error) {
	return api.UpgradeStatus{
		Name: "d1", Leader: "d2", Level: 1, RaiseTo: 2, RaiseAt: noon,
		Directors: []api.UpgradeDirector{
			{Name: "d1", State: "alive", Version: "1.0", MinLevel: 1, MaxLevel: 2}, {Name: "d2", State: "alive", Version: "1.0", MinLevel: 1, MaxLevel: 2},
		},
		Next: []api.NextLevel{{Level: 2, Brings: []string{"this", "and that"}, WaitsFor: []string{}}},
	}, nil
}

func (w *whole) FinishUpgrade(context.Context, api.UpgradeRequest) (api.UpgradeResult, error) {
	return api.UpgradeResult{Was: 1, Level: 2}, nil
}

func (w *whole) Events(context.Context, uint64, bool) ([]api.Event, error) {
	return []api.Event{
		{Sequence: 1, Time: noon, Director: "d1", Index: 42, Kind: "owner", Name: "web", Text: "d1 owns web in epoch 3, before: d2: d2 drains"},
		{Sequence: 2, Time: noon.Add(time.Millisecond), Director: "d1", Kind: "vrrp", Name: "web", Text: "web on d1 is active, was backup: claim"},
	}, nil
}

func (w *whole) CreateToken(_ context.Context, r api.TokenRequest) (api.Token, error) {
	return api.Token{ID: "2a5f0c", Token: "quorate1-" + r.Role, Expires: noon.Add(r.Lifetime)}, nil
}

func (w *whole) Tokens(context.Context) ([]api.TokenInfo, error) {
	return []api.TokenInfo{{ID: "1b95866f3c9c", Role: "director", Expires: noon, UsedBy: "d2/e3216fe0"}, {ID: "2a", Role: "witness", Expires: noon}, {ID: "3c", Role: "viewer", Expires: noon, UsedBy: "ann", CA: "5e4f3021"}}, nil
}

func (w *whole) CreateCertificate(_ context.Context, r api.CertificateRequest) (api.Certificate, error) {
	return api.Certificate{ID: "3c", Certificate: []byte("a certificate of " + r.Name + "\n"), CA: []byte("the CA\n"), Expires: noon.Add(r.Lifetime)}, nil
}

func (w *whole) Keys(context.Context) ([]api.KeyStatus, error) {
	return []api.KeyStatus{{
		What: "gossip", Present: "0a1b2c3d", Former: "4e5f6071", UnderWay: true, WaitsFor: []string{"no answer comes from d2"},
		Directors: []api.KeyUse{{Name: "d1", Answers: true, Uses: "0a1b2c3d"}, {Name: "d2"}},
	}, {
		What: "ca", Present: "9a8b7c6d", Former: "5e4f3021", UnderWay: true, Ends: noon.AddDate(10, 0, 0), Certificates: 2, Tokens: 1,
		WaitsFor:  []string{"certificates of people and programs end with it (2), and tokens (1)"},
		Directors: []api.KeyUse{{Name: "d1", Answers: true, Uses: "9a8b7c6d"}, {Name: "d2", Answers: true, Uses: "9a8b7c6d"}},
	}}, nil
}

func (w *whole) RotateKey(_ context.Context, r api.RotateRequest, p api.Progress) error {
	p("the " + r.What + " key is 0a1b2c3d, 4e5f6071 is still taken")
	if len(r.Cert) > 0 {
		p(fmt.Sprintf("brought: %s %s", strings.TrimSpace(string(r.Cert)), strings.TrimSpace(string(r.Key))))
	}
	p("every director uses 0a1b2c3d alone")
	return nil
}

func (w *whole) FinishRotation(_ context.Context, r api.FinishRotationRequest) (api.KeyStatus, error) {
	if r.What == "ca" {
		return api.KeyStatus{What: r.What, Present: fmt.Sprintf("9a8b7c6d (ending %v)", r.Ending)}, nil
	}
	if !r.Force {
		return api.KeyStatus{}, errors.New("4e5f6071 is not dropped: no answer comes from d2; --force drops it all the same")
	}
	return api.KeyStatus{What: r.What, Present: "0a1b2c3d", Directors: []api.KeyUse{{Name: "d1", Answers: true, Uses: "0a1b2c3d"}, {Name: "d2"}}}, nil
}

func (w *whole) RevokeToken(_ context.Context, id string) (api.Ended, error) { return before(id) }

func (w *whole) Remove(_ context.Context, name string, _ bool) (api.Ended, error) {
	return before(name)
}

// before says of what is called so that it was ended before.
func before(name string) (e api.Ended, err error) {
	if name == "gone" {
		e.Before = "gone was ended already"
	}
	return e, nil
}

func (w *whole) Drain(_ context.Context, r api.DrainRequest, p api.Progress) error {
	p(fmt.Sprintf("%s: draining %v", r.Director, r.Draining))
	return nil
}

func (w *whole) Move(_ context.Context, r api.MoveRequest, p api.Progress) error {
	if r.Group != "web" {
		return fmt.Errorf("there is no group %s", r.Group)
	}
	p(fmt.Sprintf("%s: to %s, force %v", r.Group, r.Director, r.Force))
	return nil
}

func (w *whole) Leave(_ context.Context, r api.LeaveRequest, p api.Progress) error {
	p("addresses are with other directors")
	p(fmt.Sprintf("membership ended, force %v", r.Force))
	return nil
}

// trouble is an agent of a cluster in which nothing is well.
type trouble struct{ whole }

var errTrouble = errors.New("no leader: 1 of 3 voters answer, 2 must reach each other; nothing was changed")

func (*trouble) Status(context.Context) (api.Status, error) {
	return api.Status{
		Name: "d1", Version: "1.0", Cluster: "c0ffee", Revision: 7, AppliedIndex: 42, FeatureLevel: 1, StateHash: "00ff",
		ClusterEpoch: 2, Voters: 3, Answering: 1,
		Directors: []api.DirectorStatus{
			{Name: "d1", State: "alive", Behind: 17, Reasons: []string{"the keeper does not answer", "has not caught up with the log"}, Role: "director", Address: "192.0.2.2:7400", Version: "1.0", Draining: true},
			{Name: "d2", State: "unreachable", Role: "director", Address: "192.0.2.3:7400", Version: "1.0"},
			{Name: "d3", State: "leaving", Ready: true, Role: "witness", Address: "[2001:db8::3]:7400", Version: "0.9"},
		},
		Groups: []api.GroupStatus{
			{Name: "mail", Order: []string{}, Addresses: []string{"192.0.2.9/24", "2001:db8::9/64"}},
			{Name: "web", Owner: "foreign 192.0.2.77", Epoch: 3, Reason: "a router that is no member advertises it", Order: []string{"d1", "d2"}, Addresses: []string{"192.0.2.1/24"}},
		},
		Services: []api.ServiceStatus{{Name: "web", Address: "mark 7", Scheduler: "rr", Forward: "tunnel", Servers: []api.ServerStatus{
			{Address: "198.51.100.11:80", Verdict: "down", Configured: 3, Cause: "connection refused"},
			{Address: "198.51.100.12:80", Verdict: "up", Configured: 3, Cause: "status 200", Asymmetric: true},
		}}},
		Rotations: []string{"gossip: 0a1b2c3d is used, 4e5f6071 is still taken"},
		Warnings:  []string{"no quorum: the kernel goes on with what it has, nothing can be changed", "nobody owns mail"},
	}, nil
}

// Keys are as they are while none is rotated.
func (*trouble) Keys(context.Context) ([]api.KeyStatus, error) {
	return []api.KeyStatus{{What: "gossip", Present: "0a1b2c3d"}, {What: "ca", Present: "9a8b7c6d"}}, nil
}

func (*trouble) UpgradeStatus(context.Context) (api.UpgradeStatus, error) {
	return api.UpgradeStatus{
		Name: "d1", Level: 1,
		Directors: []api.UpgradeDirector{
			{Name: "d1", State: "alive", Version: "1.1", MinLevel: 1, MaxLevel: 2}, {Name: "d2", State: "unreachable", Version: "1.0", MinLevel: 1, MaxLevel: 1},
			{Name: "d3", State: "leaving", Version: "2.0", MinLevel: 1, MaxLevel: 3},
		},
		Next: []api.NextLevel{{Level: 2, Brings: []string{"this"}, WaitsFor: []string{"d2"}}},
	}, nil
}

func (*trouble) Apply(context.Context, api.ApplyRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, errTrouble
}

func (*trouble) Drain(context.Context, api.DrainRequest, api.Progress) error { return errTrouble }

func (*trouble) Move(context.Context, api.MoveRequest, api.Progress) error { return errTrouble }

func (*trouble) Remove(context.Context, string, bool) (api.Ended, error) {
	return api.Ended{}, errTrouble
}

func (*trouble) RevokeToken(context.Context, string) (api.Ended, error) {
	return api.Ended{}, errTrouble
}

func (*trouble) CreateToken(context.Context, api.TokenRequest) (api.Token, error) {
	return api.Token{}, errTrouble
}

func (*trouble) Tokens(context.Context) ([]api.TokenInfo, error) { return nil, errTrouble }

func (*trouble) Events(context.Context, uint64, bool) ([]api.Event, error) { return nil, errTrouble }

func (*trouble) Config(context.Context) (fsm.Config, uint64, error) {
	return fsm.Config{}, 0, errTrouble
}

func (*trouble) Leave(_ context.Context, _ api.LeaveRequest, p api.Progress) error {
	p("giving leadership away")
	return errTrouble
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
