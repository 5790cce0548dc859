package keepalived

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzImport is seeded with the files of testdata. Whatever it is given, there is no panic, the cluster file is
// valid and says what the model has, and no use of a keyword is without a note.
func FuzzImport(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(seeds) < 4 {
		f.Fatalf("seeds %v: %v", seeds, err)
	}
	for _, name := range append(seeds, "testdata/pair/lb1/keepalived.conf", "testdata/pair/lb2/keepalived.conf") {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), "lb1")
		f.Add(string(b), "")
	}
	f.Fuzz(func(t *testing.T, text, node string) {
		if len(text) > 1<<14 {
			return // what is long is only slow
		}
		in := files(map[string]string{"a": text, "b": text})
		r, err := Import(in, []Input{{"a", node}})
		if err != nil {
			t.Fatal(err)
		}
		valid(t, r)
		spoken(t, in, node, r)
		r, err = Import(in, []Input{{"a", node}, {"b", "other"}})
		if err != nil {
			t.Fatal(err)
		}
		valid(t, r)
	})
}

func TestNoKeywordIsDroppedInSilence(t *testing.T) {
	for _, name := range []string{"language", "services", "vrrp", "mistakes"} {
		in := []Input{{"testdata/" + name + ".conf", "high"}}
		r, err := Import(disk, in)
		if err != nil {
			t.Fatal(err)
		}
		spokenOf(t, disk, in[0], r)
	}
}

// listed are blocks of words, not of keywords: their note is of all that is in them.
var listed = map[string]bool{
	"group": true, "notification_email": true, "virtual_ipaddress": true, "virtual_ipaddress_excluded": true, "virtual_routes": true,
	"virtual_rules": true, "track_interface": true, "track_script": true, "track_file": true, "track_process": true, "track_bfd": true,
	"unicast_peer": true, "static_ipaddress": true, "static_routes": true, "static_rules": true, "linkbeat_interfaces": true, "interface_up_down_delays": true,
}

func spoken(t *testing.T, in Files, node string, r Result) {
	t.Helper()
	if len(r.Hosts) == 1 {
		spokenOf(t, in, Input{"a", node}, r)
	}
}

// spokenOf fails if a keyword of a file is in no note.
func spokenOf(t *testing.T, in Files, from Input, r Result) {
	t.Helper()
	l := &liner{files: in, node: from.Node, notes: new(notes), macros: make(map[string]string)}
	if err := l.file(from.Path, 0); err != nil {
		t.Fatal(err)
	}
	told := func(at Place) bool {
		return slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Said(at) })
	}
	known := newTables().known
	var look func(all []*Statement, depth int)
	look = func(all []*Statement, depth int) {
		for _, s := range all {
			if known[s.Word] && !told(s.Place) {
				t.Errorf("%s:%d: %s: nothing is said of it", s.File, s.Line, s.Word)
			}
			if top := depth == 0 && s.Word == "track_file"; top || !listed[s.Word] {
				look(s.Block, depth+1)
			}
		}
	}
	look(statements(l.out, new(notes)), 0)
}
