package fsm

import (
	"maps"
	"net/netip"
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
		{"the checks ask something else", LevelKeys, func(s *Service) { s.Checks[0].Kind = CheckHTTP }, map[ServerKey]Verdict{}},
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
