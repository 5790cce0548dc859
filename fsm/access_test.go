package fsm

import (
	"reflect"
	"strings"
	"testing"
)

func TestARoleCoversThoseBelowIt(t *testing.T) {
	order := []Role{RoleViewer, RoleOperator, RoleAdmin}
	for i, has := range order {
		for j, needed := range order {
			if got := has.Covers(needed); got != (i >= j) {
				t.Errorf("%s covers %s: %v", has, needed, got)
			}
		}
	}
	for _, r := range []Role{"", RoleDirector, RoleWitness, "root"} {
		if r.Asks() || r.Covers(RoleViewer) || r.Covers(r) || RoleAdmin.Covers(r) {
			t.Errorf("%q is the role of who asks", r)
		}
	}
}

// A field of commands that Programs does not know would let an operator run what it likes.
func TestProgramsKnowsEveryCommandOfAConfiguration(t *testing.T) {
	hook := Hook{Command: []string{"/h"}}
	c := Config{
		Services:   MapOf(map[string]Service{"s": {Checks: []Check{{Command: []string{"/c", "x"}, User: "u"}, {Kind: CheckTCP}}}}),
		Tracks:     map[string]Track{"t": {Command: []string{"/t"}}, "p": {CommandLine: []string{"/only-looked-for"}}},
		Routers:    map[string]Router{"r": {Needs: Needs{Hooks: []Hook{hook}}}},
		SyncGroups: map[string]SyncGroup{"g": {Needs: Needs{Hooks: []Hook{{Command: []string{"/g"}, User: "root"}}}}},
	}
	want := map[string]bool{"u\x00/c\x00x": true, "\x00/t": true, "\x00/h": true, "root\x00/g": true}
	if got := c.Programs(); !reflect.DeepEqual(got, want) {
		t.Errorf("programs %v, want %v", got, want)
	}
	types := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(v reflect.Type, path string) {
		if v == reflect.TypeFor[Map[Service]]() {
			v = reflect.TypeFor[Service]()
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(v.Elem(), path)
		case reflect.Struct:
			if v.PkgPath() != reflect.TypeFor[Config]().PkgPath() || types[v] && v != reflect.TypeFor[Hook]() {
				return
			}
			types[v] = true
			for f := range v.Fields() {
				if f.Name == "Command" && !strings.Contains(" Services.Checks Tracks Routers.Needs.Hooks SyncGroups.Needs.Hooks ", " "+path+" ") {
					t.Errorf("%s.Command is a program that Programs does not know", path)
				}
				walk(f.Type, strings.TrimPrefix(path+"."+f.Name, "."))
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}
