package config

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// WithDefaults returns a copy of a configuration with the cluster file's defaults where a field is
// empty, for programs that send a model and leave out what they do not care for. A weight of 0 stays
// 0, except for a fallback. It also makes empty lists and maps nil, and what may be left out empty where
// it has its default, so that equal configurations are equal in every form.
func WithDefaults(c fsm.Config) fsm.Config {
	d := fsm.Config{
		Routers: cloned(c.Routers), SyncGroups: cloned(c.SyncGroups), Tracks: cloned(c.Tracks),
	}
	for name, r := range d.Routers {
		orDefault(&r.Interval, defaultAdvertInterval)
		d.Routers[name] = canonicalRouter(r)
	}
	for name, g := range d.SyncGroups {
		d.SyncGroups[name] = canonicalGroup(g)
	}
	for name, t := range d.Tracks {
		d.Tracks[name] = canonicalTrack(t)
	}
	services := make(map[string]fsm.Service, c.Services.Len())
	for name, s := range c.Services.All() {
		orDefault(&s.Scheduler, defaultScheduler)
		orDefault(&s.Forward, defaultForward)
		orDefault(&s.Agreement, defaultAgreement)
		if s.Mark == 0 {
			orDefault(&s.Protocol, defaultProtocol)
		}
		s.Servers, s.Checks = listed(s.Servers), listed(s.Checks)
		for i := range s.Checks {
			defaultCheck(&s.Checks[i])
		}
		if s.Fallback != nil {
			f := *s.Fallback
			orDefault(&f.Weight, defaultWeight)
			s.Fallback = &f
		}
		services[name] = s
	}
	d.Services = fsm.MapOf(services)
	return d
}

func defaultCheck(c *fsm.Check) {
	orDefault(&c.Interval, defaultCheckInterval)
	orDefault(&c.Timeout, min(defaultCheckTimeout, c.Interval))
	orDefault(&c.Rise, defaultRise)
	orDefault(&c.Fall, defaultFall)
	if c.Kind == fsm.CheckHTTP || c.Kind == fsm.CheckHTTPS {
		orDefault(&c.Path, defaultPath)
	}
	c.Status, c.Command = listed(c.Status), listed(c.Command)
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func cloned[T any](m map[string]T) map[string]T {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func listed[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}
