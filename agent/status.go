package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// Status implements [api.Agent].
func (a *Agent) Status(ctx context.Context) (api.Status, error) {
	st := api.Status{
		Name: a.cfg.File.Name, Version: a.cfg.Version,
		Directors: []api.DirectorStatus{}, Groups: []api.GroupStatus{}, Services: []api.ServiceStatus{}, Warnings: []string{},
	}
	s, err := a.current()
	if err != nil {
		st.Warnings = append(st.Warnings, err.Error())
		st.Joining = a.unattended()
		return st, nil
	}
	now := time.Now()
	state, live := s.node.State(), s.everyReport(now)
	st.Cluster, st.Leader = state.ClusterID, s.node.Leader()
	st.Revision, st.AppliedIndex, st.FeatureLevel, st.StateHash = state.Revision, state.Index, state.Level, state.Hash()
	st.ClusterEpoch = state.ClusterEpoch()
	s.sayQuorum(&st, live)
	highest := highestIndex(state, live)
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		st.Directors = append(st.Directors, directorStatus(state.Members[name], live, highest))
	}
	s.sayStopped(&st, now)
	clocks := s.node.Clocks()
	sayClocks(&st, clocks)
	if _, known := state.Members[s.cfg.Name]; !known && s.node.Removed() == nil { // the log has not come that far
		self := s.self(fsm.Member{Name: s.cfg.Name, Role: s.cfg.Role})
		st.Directors = append(st.Directors, directorStatus(self, live, highest))
	}
	runs := s.keeper.Status()
	for _, g := range state.Config.Groups() {
		gs := groupStatus(state, live, g, s.cfg.Name)
		own, _ := runs.Group(g.Name)
		gs.Changes, gs.Routers = own.Changes, routerStatus(own)
		st.Groups = append(st.Groups, gs)
	}
	st.Drops = map[string]map[string]uint64{}
	for iface, drops := range runs.Drops {
		st.Drops[iface] = counts(drops)
	}
	table := s.director.Have()
	for _, svc := range state.Config.Services.All() {
		st.Services = append(st.Services, serviceStatus(state, live, svc, table, s.cfg.Name))
	}
	if err := s.node.Removed(); err != nil {
		asFormer(&st, err)
		return st, nil
	}
	st.Rotations = rotations(state)
	st.Warnings = append(st.Warnings, warnings(st, live, now)...)
	for _, p := range strangers(state.Config, state.Members) {
		st.Warnings = append(st.Warnings, p.Text)
	}
	for _, off := range clocks.Off() {
		st.Warnings = append(st.Warnings, off.Text)
	}
	st.Warnings = append(st.Warnings, onTrial(state)...)
	st.Warnings = append(st.Warnings, s.muteAgents(live, clocks.Unproved, now)...)
	st.Warnings = append(st.Warnings, s.disputes.lasting(time.Now())...)
	return st, nil
}

// rotations says which of the cluster's own keys are being rotated, by the log.
func rotations(state *fsm.State) []string {
	var out []string
	for _, what := range []string{fsm.RotatesGossip, fsm.RotatesCA} {
		r, underWay := state.Secrets().Rotation(what)
		switch {
		case underWay && r.Next != "":
			out = append(out, what+": "+r.Next+" is to follow "+r.Present)
		case underWay:
			out = append(out, what+": "+r.Present+" is used, "+r.Former+" is still taken")
		}
	}
	return out
}

// sayStopped says of directors that do not answer whether they were stopped, as they have said themselves.
func (s *session) sayStopped(st *api.Status, now time.Time) {
	for i, d := range st.Directors {
		if d.Name != s.cfg.Name && s.reports.stopped(d.Name, now) {
			st.Directors[i].State, st.Directors[i].Ready, st.Directors[i].Reasons = "unreachable", false, []string{wasStopped}
		}
	}
}

func directorStatus(m fsm.Member, live map[string]received, highest uint64) api.DirectorStatus {
	d := api.DirectorStatus{
		Name: m.Name, State: "unreachable", Role: string(m.Role), Address: m.Address.String(), Version: m.Version, Draining: m.Draining,
	}
	r, ok := live[m.Name]
	if !ok {
		return d
	}
	d.State, d.Ready, d.Reasons = "alive", r.Ready, r.Reasons
	d.AppliedIndex, d.Version = r.Index, r.Version
	if r.HashIndex == r.Index { // below fsm.LevelSum the hash is computed now and then, and may be of an entry before
		d.StateHash = r.Hash
	}
	d.Refused = r.Refused
	d.Behind = highest - min(r.Index, highest)
	d.CertificateIssued, d.CertificateExpires = r.Certificate.Issued.UTC(), r.Certificate.Expires.UTC()
	switch {
	case r.Leaving:
		d.State = "leaving"
	case r.Joining:
		d.State = "joining"
	}
	return d
}

// groupStatus tells who owns a group, and why.
func groupStatus(state *fsm.State, live map[string]received, g fsm.Group, self string) api.GroupStatus {
	o, own, owner := state.Groups[g.Name], live[self].Groups[g.Name], ownerOf(state, live, g.Name, self)
	st := api.GroupStatus{
		Name: g.Name, Owner: owner.name, Epoch: o.Epoch, Named: o.Owner, Reason: because(o, owner), Order: append([]string{}, o.Order...), Addresses: []string{},
		State: own.State, Priority: own.Priority,
	}
	st.Next = able(o.Order, owner.name, views(state, live, reportedStop, g.Name, time.Time{}))
	for _, r := range g.Routers {
		for _, p := range r.Addresses {
			st.Addresses = append(st.Addresses, p.String())
		}
	}
	if o.Intent != nil {
		st.Moving = o.Intent.To
	}
	return st
}

// nobodyCan says why no director that answers could own a group, or is empty.
func nobodyCan(state *fsm.State, live map[string]received, group string) string {
	who := map[string][]string{}
	var reasons []string
	for _, name := range director.Candidates(state) {
		r, answers := live[name]
		if !answers {
			continue
		}
		why := r.Groups[group].cannot()
		if why == "" {
			return ""
		}
		if who[why] == nil {
			reasons = append(reasons, why)
		}
		who[why] = append(who[why], name)
	}
	for i, why := range reasons {
		reasons[i] = strings.Join(who[why], ", ") + " cannot: " + why
	}
	return strings.Join(reasons, "; ")
}

// routerStatus is what the keeper says of a group's routers.
func routerStatus(g keeper.GroupStatus) []api.RouterStatus {
	var out []api.RouterStatus
	for _, r := range g.Routers {
		st := api.RouterStatus{
			Name: r.Name, VRID: r.VRID, Interface: r.Interface, Fault: r.Fault, Error: r.Error,
			Sent: r.Sent, Received: r.Received, Contested: r.Contested, Contest: r.Contest.Seconds(), Restored: r.Restored, Drops: counts(r.Drops), Notices: counts(r.Notices),
		}
		if r.Source.IsValid() {
			st.Source = r.Source.String()
		}
		if r.Heard != nil {
			st.Heard, st.HeardPriority, st.HeardMember = r.Heard.Source.String(), r.Heard.Priority, r.Heard.Member
			st.HeardInterval, st.HeardAge = r.Heard.Interval.Seconds(), r.Heard.Age.Seconds()
		}
		out = append(out, st)
	}
	return out
}

// counts is a map of counters as programs read it.
func counts[K ~string](m map[K]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

// memberAt returns the member that has an address on one of its interfaces, or "".
func memberAt(state *fsm.State, address string) string {
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		for _, a := range state.Members[name].Sources {
			if a.String() == address {
				return name
			}
		}
	}
	return ""
}

func serviceStatus(state *fsm.State, live map[string]received, svc fsm.Service, table ipvs.Table, self string) api.ServiceStatus {
	st := api.ServiceStatus{
		Name: svc.Name, Address: svc.Address.String(), Scheduler: svc.Scheduler, Forward: string(svc.Forward), Servers: []api.ServerStatus{},
	}
	if svc.Mark != 0 {
		st.Address = fmt.Sprintf("mark %d", svc.Mark)
	}
	dests := table[director.Key(svc)].Dests
	for _, r := range svc.Servers {
		key := fsm.ServerKey{Service: svc.Name, Server: r.Address}
		v := state.Verdict(key)
		s := api.ServerStatus{
			Address: r.Address.String(), Verdict: string(v.Health), Weight: dests[r.Address].Weight,
			Configured: r.Weight, Cause: v.Cause, Seen: map[string]string{},
		}
		for name, rep := range live {
			if o, ok := rep.Observations[key]; ok {
				s.Seen[name] = string(o.Health)
			}
		}
		s.Asymmetric = v.Health == fsm.Up && s.Seen[self] == string(fsm.Down)
		st.Servers = append(st.Servers, s)
	}
	if svc.Fallback != nil {
		st.Servers = append(st.Servers, api.ServerStatus{
			Address: svc.Fallback.Address.String(), Verdict: string(fsm.Unknown), Weight: dests[svc.Fallback.Address].Weight,
			Configured: svc.Fallback.Weight, Fallback: true, Seen: map[string]string{},
		})
	}
	return st
}

// warnings says what a person should look at, worst first.
func warnings(st api.Status, live map[string]received, now time.Time) []string {
	var out []string
	switch {
	case st.CutOff && 2*st.Answering > st.Voters:
		out = append(out, st.Name+" is cut off: the leader is heard, but not reached: nothing can be changed from here")
	case st.CutOff:
		out = append(out, st.Name+" is cut off: the leader is heard, but no majority of the voters answers it")
	case !st.Quorum:
		out = append(out, "no quorum: the kernel goes on with what it has, nothing can be changed")
	}
	out = append(out, doubled(live)...)
	for _, d := range st.Directors {
		r := live[d.Name]
		switch {
		case d.State == "unreachable" && d.Unproved != "":
			out = append(out, d.Name+" does not answer: "+d.Unproved)
		case d.State == "unreachable" && len(d.Reasons) > 0:
			out = append(out, d.Name+" "+strings.Join(d.Reasons, "; "))
		case d.State == "unreachable":
			out = append(out, d.Name+" does not answer")
		case r.Halted != "":
			out = append(out, d.Name+": "+r.Halted)
		case !d.Ready:
			out = append(out, d.Name+" is not ready: "+strings.Join(d.Reasons, "; "))
		case r.HashIndex == st.AppliedIndex && r.Hash != st.StateHash:
			out = append(out, d.Name+" has another state at the same log index: its data differs")
		}
		if r.Certificate.Refused != "" {
			out = append(out, r.Certificate.Refused)
		}
		if why := oldCertificate(d.Name, r.Certificate, now); why != "" {
			out = append(out, why)
		}
		for _, trouble := range r.Troubles {
			out = append(out, d.Name+": "+trouble)
		}
		out = append(out, uncovered(d.Name, live)...)
		for _, name := range slices.Sorted(maps.Keys(r.Groups)) {
			if why := r.Groups[name].Deaf; why != "" {
				out = append(out, d.Name+" does not hear the owner of "+name+": "+why)
			}
			if router := r.Groups[name].Unproven; router != "" {
				out = append(out, d.Name+" hears the owner of "+name+" and gets no answer for the address of "+router)
			}
			if why := r.Groups[name].cannot(); why != "" {
				out = append(out, d.Name+" cannot own "+name+": "+why)
			}
		}
	}
	for _, g := range st.Groups {
		switch {
		case g.Owner != "":
		case st.CutOff, !st.Quorum && st.Voters > 1:
			out = append(out, fmt.Sprintf("it is not known here who owns %s: too few answer, and nobody is heard", g.Name))
		default:
			out = append(out, "nobody owns "+g.Name)
		}
		for _, d := range st.Directors {
			if d.Draining && d.Name == g.Owner {
				out = append(out, d.Name+" drains, and still owns "+g.Name+": nobody else can take it over")
			}
		}
	}
	if why := oldCA(live[st.Name].Certificate, st.FeatureLevel, now); why != "" {
		out = append(out, why)
	}
	return out
}

// doubled says which addresses are answered for by two directors, as any that answers has found.
func doubled(live map[string]received) []string {
	var out []string
	for _, r := range live {
		for _, g := range r.Groups {
			if g.Doubled != "" {
				out = append(out, g.Doubled)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// oldCertificate says that a director's certificate should have been renewed, or is empty.
func oldCertificate(name string, c pki.Certificate, now time.Time) string {
	if !c.Late(now) {
		return ""
	}
	ends := "ends"
	if now.After(c.Expires) {
		ends = "ended"
	}
	text := "certificate of " + name + " " + ends + " on " + c.Expires.UTC().Format(time.DateOnly) + " and was not renewed"
	if c.Trouble != "" {
		text += ": " + c.Trouble
	}
	return text
}

// oldCA says that the cluster's CA ends within a year, or is empty. Certificates cannot be renewed beyond
// that.
func oldCA(c pki.Certificate, level int, now time.Time) string {
	if c.CAEnds.IsZero() || now.AddDate(1, 0, 0).Before(c.CAEnds) {
		return ""
	}
	when := "ends on " + c.CAEnds.UTC().Format(time.DateOnly)
	switch {
	case !now.Before(c.CAEnds):
		when = "ended on " + c.CAEnds.UTC().Format(time.RFC3339)
	case c.CAEnds.Before(now.AddDate(0, 0, 1)):
		when = "ends at " + c.CAEnds.UTC().Format(time.RFC3339)
	}
	text := "the cluster's CA " + when + ", and with it all certificates: `quorate key rotate ca` puts another in its place"
	if level < fsm.LevelKeys {
		text += fmt.Sprintf(", from feature level %d on; once every member runs this version, `quorate upgrade finish` raises it", fsm.LevelKeys)
	}
	return text
}
