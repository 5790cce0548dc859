package fsm

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// renaming gives a service that has verdicts another name.
func renaming() []Command {
	shop := articleConfig().Services.Of("web")
	shop.Name = "shop"
	return []Command{
		level3(), ChangeConfig{Delta: whole(articleConfig())},
		SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Up, "seen"}, web12: {Down, "refused"}}},
		ChangeConfig{Base: 1, Delta: Delta{Services: map[string]*Service{"web": nil, "shop": &shop}}},
	}
}

// asking has the checks of a service that has verdicts ask something else.
func asking() []Command {
	web := articleConfig().Services.Of("web")
	web.Checks = append(slices.Clone(web.Checks), Check{Kind: CheckHTTP})
	return append(renaming()[:3], ChangeConfig{Base: 1, Delta: Delta{Services: map[string]*Service{"web": &web}}})
}

// TestAServiceWithAnotherNameKeepsItsVerdicts renames a service and edits it in one change, of which some forget what was
// agreed.
func TestAServiceWithAnotherNameKeepsItsVerdicts(t *testing.T) {
	both := map[ServerKey]Verdict{{"shop", web11.Server}: {Up, "seen"}, {"shop", web12.Server}: {Down, "refused"}}
	for _, tt := range []struct {
		name  string
		level int
		edit  func(*Service)
		want  map[ServerKey]Verdict
	}{
		{"the name alone", LevelKeys, func(*Service) {}, both},
		{"how often it is checked too", LevelKeys, func(s *Service) { s.Checks[0].Interval = time.Minute }, both},
		{"a server goes, and one comes", LevelKeys, func(s *Service) { s.Servers[1].Address = netip.MustParseAddrPort("198.51.100.13:80") },
			map[ServerKey]Verdict{{"shop", web11.Server}: {Up, "seen"}}},
		{"the checks ask something else", LevelKeys, func(s *Service) { s.Checks[0].Kind = CheckHTTP },
			map[ServerKey]Verdict{{"shop", web11.Server}: {Up, UpBefore}}},
		{"another address", LevelKeys, func(s *Service) { s.Address = netip.MustParseAddrPort("192.0.2.9:80") }, map[ServerKey]Verdict{}},
		{"another protocol", LevelKeys, func(s *Service) { s.Protocol = UDP }, map[ServerKey]Verdict{}},
		{"a version before that", LevelHistory, func(*Service) {}, map[ServerKey]Verdict{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := level3()
			first.Level = tt.level
			s := play(t, []Command{
				first, ChangeConfig{Delta: whole(articleConfig())},
				SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Up, "seen"}, web12: {Down, "refused"}}},
			})
			shop := articleConfig().Services.Of("web")
			shop.Name = "shop"
			tt.edit(&shop)
			d := Delta{Services: map[string]*Service{"web": nil, "shop": &shop}}
			ahead := s.JudgedAfter(d)
			s = playOn(t, s, []Command{ChangeConfig{Base: 1, Delta: d, Trial: &Trial{Revision: 2, Until: noon}}})
			if diff := cmp.Diff(tt.want, maps.Collect(s.Verdicts.All())); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(maps.Collect(s.Verdicts.All()), maps.Collect(ahead.All())); diff != "" {
				t.Errorf("foretold otherwise (-is +foretold)\n%s", diff)
			}
			s = playOn(t, s, []Command{RevertConfig{Revision: 2}})
			if _, known := s.Verdicts.Of(web11); known != (len(tt.want) > 0) {
				t.Errorf("taken back: %v", maps.Collect(s.Verdicts.All()))
			}
		})
	}
}

// TestANameThatGoesToAnotherServiceTakesNoVerdictsAway gives a service another name and its name to another service.
func TestANameThatGoesToAnotherServiceTakesNoVerdictsAway(t *testing.T) {
	s := play(t, []Command{
		level3(), ChangeConfig{Delta: whole(articleConfig())},
		SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Up, "seen"}, web12: {Down, "refused"}}},
	})
	shop, web := articleConfig().Services.Of("web"), articleConfig().Services.Of("web")
	shop.Name, web.Address = "shop", netip.MustParseAddrPort("192.0.2.9:80")
	s = playOn(t, s, []Command{ChangeConfig{Base: 1, Delta: Delta{Services: map[string]*Service{"web": &web, "shop": &shop}}}})
	if v := s.Verdict(ServerKey{"shop", web11.Server}); v.Health != Up {
		t.Errorf("under its new name: %+v", v)
	}
}

// TestWhoIsUpStaysSoUntilOtherChecksSayMore changes what the checks of a service ask: its servers have connections.
func TestWhoIsUpStaysSoUntilOtherChecksSayMore(t *testing.T) {
	both := map[ServerKey]Verdict{web11: {Up, "seen"}, web12: {Down, "refused"}}
	up := map[ServerKey]Verdict{web11: {Up, UpBefore}}
	for _, tt := range []struct {
		name  string
		level int
		edit  func(*Service)
		want  map[ServerKey]Verdict
	}{
		{"another question", LevelKeys, func(s *Service) { s.Checks[0].Kind = CheckHTTP }, up},
		{"one more", LevelKeys, func(s *Service) { s.Checks = append(s.Checks, Check{Kind: CheckHTTP}) }, up},
		{"none", LevelKeys, func(s *Service) { s.Checks = nil }, up},
		{"more often", LevelKeys, func(s *Service) { s.Checks[0].Interval = time.Minute }, both},
		{"another question, and the server goes", LevelKeys, func(s *Service) {
			s.Checks[0].Kind, s.Servers = CheckHTTP, s.Servers[1:]
		}, map[ServerKey]Verdict{}},
		{"a version before that", LevelHistory, func(s *Service) { s.Checks[0].Kind = CheckHTTP }, map[ServerKey]Verdict{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := level3()
			first.Level = tt.level
			s := play(t, []Command{first, ChangeConfig{Delta: whole(articleConfig())}, SetVerdicts{Verdicts: both}})
			web := articleConfig().Services.Of("web")
			web.Checks, web.Servers = slices.Clone(web.Checks), slices.Clone(web.Servers)
			tt.edit(&web)
			s = playOn(t, s, []Command{ChangeConfig{Base: 1, Delta: Delta{Services: map[string]*Service{"web": &web}}}})
			if diff := cmp.Diff(tt.want, maps.Collect(s.Verdicts.All())); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err := s.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
}
