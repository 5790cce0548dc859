package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Edit is a small change of the configuration that is made without a file: of a service, say, or the weight of a server.
type Edit struct {
	Verb Verb              `json:"verb"` // add, change or remove
	Kind Kind              `json:"kind"` // router, service, check, server or fallback
	In   string            `json:"in"`   // the router or service
	Name string            `json:"name"` // of a part of a service: the server's address, the check's kind
	Keys map[string]string `json:"keys"` // as in the cluster file; an empty value is the key's default
}

// What edits are about: kinds with a name of their own, and parts of services.
var (
	editTops  = []Kind{KindRouter, KindService}
	editParts = []Kind{KindServer, KindFallback, KindCheck}
)

// Edited returns what a series of edits changes in a configuration. Keys and values are read as in the cluster file; whether
// the result fits together is for [Validate] to say.
func Edited(c fsm.Config, edits []Edit) (fsm.Delta, error) {
	after, touched := c, fsm.Delta{Routers: map[string]*fsm.Router{}, Services: map[string]*fsm.Service{}}
	for i, e := range edits {
		d, err := e.apply(after)
		if err != nil {
			return fsm.Delta{}, err
		}
		if i+1 < len(edits) { // the next one needs the whole configuration
			after = d.Apply(after)
		}
		maps.Copy(touched.Routers, d.Routers)
		maps.Copy(touched.Services, d.Services)
	}
	return Delta(touched.Part(c), touched.Puts()), nil
}

func (e Edit) apply(c fsm.Config) (fsm.Delta, error) {
	for name := range e.Keys {
		if !keyName(name) {
			return fsm.Delta{}, fmt.Errorf("%q is not the name of a key: write KEY=VALUE, as in weight=3", name)
		}
	}
	switch {
	case e.Verb != Add && e.Verb != Modify && e.Verb != Remove:
		return fsm.Delta{}, fmt.Errorf("%q is no edit: there are %s, %s and %s", e.Verb, Add, Modify, Remove)
	case e.has("for_each"):
		return fsm.Delta{}, errors.New("for_each makes many of one in a cluster file: an edit is of one")
	case e.has("name"):
		return fsm.Delta{}, fmt.Errorf("%s is called as it is: one of another name is another, which `quorate add %s` adds and `quorate remove %s` removes", e.thing(), e.Kind, e.Kind)
	case slices.Contains(editParts, e.Kind):
		return e.part(c)
	case slices.Contains(editTops, e.Kind):
		return e.top(c)
	}
	return fsm.Delta{}, fmt.Errorf("%s %q: only router, service, server, fallback and check can be edited without a file", e.Verb, e.Kind)
}

// top edits a router or a service itself.
func (e Edit) top(c fsm.Config) (fsm.Delta, error) {
	there, names, d := c.Services.Has(e.In), c.Services.Names, fsm.Delta{Services: map[string]*fsm.Service{e.In: nil}}
	if e.Kind == KindRouter {
		_, there = c.Routers[e.In]
		names, d = func() []string { return slices.Collect(maps.Keys(c.Routers)) }, fsm.Delta{Routers: map[string]*fsm.Router{e.In: nil}}
	}
	switch {
	case e.Verb == Add && there:
		return d, fmt.Errorf("%s %q is there already: `quorate set %s %s KEY=VALUE` changes it", e.Kind, e.In, e.Kind, e.In)
	case e.Verb != Add && !there:
		return d, missing(string(e.Kind), e.In, names())
	case e.Verb == Remove && e.Kind == KindRouter:
		return d, grouped(c, e.In)
	case e.Verb == Remove:
		return d, nil
	}
	w := new(writer)
	if e.Kind == KindRouter {
		old := c.Routers[e.In]
		w.thing(e.over(there, routerAttrs(old)), routerBlocks(old), "router", e.In)
		w.Write(Format(fsm.Config{Tracks: c.Tracks})) // which it may ask for
	} else {
		w.thing(e.over(there, serviceAttrs(c.Services.Of(e.In))), nil, "service", e.In)
	}
	parsed, err := e.parse(w)
	if err != nil {
		return d, err
	}
	if e.Kind == KindRouter {
		r := parsed.Routers[e.In]
		d.Routers[e.In] = &r
		return d, nil
	}
	s, old := parsed.Services.Of(e.In), c.Services.Of(e.In)
	s.Checks, s.Servers, s.Fallback = old.Checks, old.Servers, old.Fallback
	d.Services[e.In] = &s
	return d, nil
}

// has reports whether the edit gives a key.
func (e Edit) has(key string) bool {
	_, ok := e.Keys[key]
	return ok
}

// thing names what the edit is about.
func (e Edit) thing() string {
	if e.Name != "" {
		return fmt.Sprintf("%s %s of service %q", e.Kind, e.Name, e.In)
	}
	return fmt.Sprintf("%s %q", e.Kind, e.In)
}

// grouped refuses to remove a router that is in a sync group: the group would have to be edited as well, which takes a file.
func grouped(c fsm.Config, router string) error {
	for _, name := range slices.Sorted(maps.Keys(c.SyncGroups)) {
		if slices.Contains(c.SyncGroups[name].Routers, router) {
			return fmt.Errorf("router %q is in sync_group %q, whose routers move together: take it out of both in the cluster file (`quorate show` prints it), and `quorate apply` that", router, name)
		}
	}
	return nil
}

// part edits a server, a fallback or a check of a service.
func (e Edit) part(c fsm.Config) (fsm.Delta, error) {
	d := fsm.Delta{Services: map[string]*fsm.Service{}}
	s, ok := c.Services.Lookup(e.In)
	if !ok {
		return d, missing("service", e.In, c.Services.Names())
	}
	s.Servers, s.Checks = slices.Clone(s.Servers), slices.Clone(s.Checks)
	d.Services[e.In] = &s
	switch e.Kind {
	case KindCheck:
		return d, e.check(&s)
	case KindFallback:
		return d, e.fallback(&s)
	default:
		return d, e.server(&s)
	}
}

func (e Edit) server(s *fsm.Service) error {
	bare, err := e.one(*s, nil) // to have its address parsed
	if err != nil {
		return err
	}
	address := bare.Servers[0].Address
	at := slices.IndexFunc(s.Servers, func(r fsm.Server) bool { return r.Address == address })
	switch {
	case e.Verb == Add && at >= 0:
		return fmt.Errorf("server %s of service %q is there already: `quorate set server %s %s KEY=VALUE` changes it", e.Name, e.In, e.In, e.Name)
	case e.Verb != Add && at < 0:
		return missing(fmt.Sprintf("server of service %q:", e.In), formatEndpoint(address), endpoints(s.Servers))
	case e.Verb == Remove:
		s.Servers = slices.Delete(s.Servers, at, at+1)
		return nil
	}
	old := serverAttrs(bare.Servers[0])
	if at >= 0 {
		old = serverAttrs(s.Servers[at])
	}
	with, err := e.one(*s, e.over(at >= 0, old))
	if err != nil {
		return err
	}
	if at >= 0 {
		s.Servers[at] = with.Servers[0]
	} else {
		s.Servers = append(s.Servers, with.Servers[0])
	}
	return nil
}

func (e Edit) fallback(s *fsm.Service) error {
	switch {
	case e.Verb != Add && s.Fallback == nil:
		return fmt.Errorf("service %q has no fallback: %w (`quorate add fallback %s ADDRESS` adds one)", e.In, fsm.ErrNotFound, e.In)
	case e.Verb == Remove:
		s.Fallback = nil
		return nil
	case e.Verb == Add && s.Fallback != nil:
		return fmt.Errorf("service %q has a fallback already: `quorate set fallback %s ADDRESS` replaces it", e.In, e.In)
	}
	bare, err := e.one(*s, nil)
	if err != nil {
		return err
	}
	old := bare.Fallback
	if s.Fallback != nil && s.Fallback.Address == old.Address {
		old = s.Fallback
	}
	with, err := e.one(*s, e.over(true, fallbackAttrs(*old)))
	if err == nil {
		s.Fallback = with.Fallback
	}
	return err
}

func (e Edit) check(s *fsm.Service) error {
	var at []int
	for i, c := range s.Checks {
		if string(c.Kind) == e.Name {
			at = append(at, i)
		}
	}
	switch {
	case len(at) > 1:
		return fmt.Errorf("service %q has %d checks %q: say which in a cluster file, `quorate show` prints it", e.In, len(at), e.Name)
	case e.Verb == Add && len(at) == 1:
		return fmt.Errorf("service %q has a check %q already: `quorate set check %s %s KEY=VALUE` changes it", e.In, e.Name, e.In, e.Name)
	case e.Verb != Add && len(at) == 0:
		var kinds []string
		for _, c := range s.Checks {
			kinds = append(kinds, string(c.Kind))
		}
		return missing(fmt.Sprintf("check of service %q:", e.In), e.Name, kinds)
	case e.Verb == Remove:
		s.Checks = slices.Delete(s.Checks, at[0], at[0]+1)
		return nil
	}
	var old []attr
	if len(at) == 1 {
		old = checkAttrs(s.Checks[at[0]])
	}
	with, err := e.one(*s, e.over(len(at) == 1, old))
	if err != nil {
		return err
	}
	if len(at) == 1 {
		s.Checks[at[0]] = with.Checks[0]
	} else {
		s.Checks = append(s.Checks, with.Checks[0])
	}
	return nil
}

// one parses the service with no other part in it than the one that the edit is about.
func (e Edit) one(s fsm.Service, attrs []attr) (fsm.Service, error) {
	w := new(writer)
	w.open(0, "service", e.In)
	w.attrs(1, serviceAttrs(s))
	w.small(attrs, string(e.Kind), e.Name)
	w.close(0)
	parsed, err := e.parse(w)
	return parsed.Services.Of(e.In), err
}

// parse parses a cluster file that was written for the edit. The user has never seen its lines, so all mistakes become one
// error without places.
func (e Edit) parse(w *writer) (fsm.Config, error) {
	c, problems := ParseCluster("", w.Bytes())
	var texts []string
	for _, p := range problems.Errors() {
		p.File, p.Path, p.Line = "", "", 0
		texts = append(texts, strings.TrimPrefix(p.String(), "error: "))
	}
	if len(texts) > 0 {
		return c, errors.New(strings.Join(texts, "; "))
	}
	return c, nil
}

// wholeNumber reports whether a text is digits, with a minus sign or none.
func wholeNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// keyName reports whether a text could be the name of a key.
func keyName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	return s != "" && strings.IndexByte(letters, s[0]) >= 0 && strings.Trim(s, letters+"0123456789_") == ""
}

// over returns the keys of a thing as the edit leaves them. Those of a thing that does not exist yet are the edit's alone.
func (e Edit) over(there bool, old []attr) []attr {
	var all []attr
	for _, a := range old {
		if _, ok := e.Keys[a.name]; !ok && there {
			all = append(all, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Keys)) {
		if v := e.Keys[name]; v != "" {
			all = append(all, attr{name: name, value: expression(v)})
		}
	}
	return all
}

// expression writes the value of a key in HCL: numbers, true, false, lists and quoted texts as they are, anything else as a
// text in quotes.
func expression(v string) string {
	if wholeNumber(v) || v == "true" || v == "false" || strings.HasPrefix(v, "[") || strings.HasPrefix(v, `"`) {
		return v
	}
	return quote(v)
}

// missing returns the error that there is no such thing, with a hint which one was meant.
func missing(what, name string, known []string) error {
	slices.Sort(known)
	hint := "there is none"
	if len(known) > 0 {
		hint = hintOf("there are", name, known)
	}
	return fmt.Errorf("no %s %s: %w (%s)", what, name, fsm.ErrNotFound, hint)
}

func endpoints(servers []fsm.Server) []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = formatEndpoint(s.Address)
	}
	return all
}
