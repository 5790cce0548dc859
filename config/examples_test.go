package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

func TestTheExamplesParseWithoutAWord(t *testing.T) {
	files, err := filepath.Glob("testdata/examples/*.hcl")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, problems := ParseCluster(filepath.Base(file), src)
		if problems.Err() != nil || len(problems) > 0 && !strings.Contains(file, "everything") {
			t.Errorf("%v", problems)
		}
		if diff := cmp.Diff(string(hclwrite.Format(src)), string(src)); diff != "" {
			t.Errorf("%s is not laid out as hclfmt does it:\n%s", file, diff)
		}
		again, problems := ParseCluster("again.hcl", Format(c))
		if diff := cmp.Diff(c, again, byValue); diff != "" || problems.Err() != nil {
			t.Errorf("%s: printed and read again: %v\n%s", file, problems.Err(), diff)
		}
	}
}

func TestTheExampleOfEverythingHasEveryKey(t *testing.T) {
	src := testdata(t, "examples/everything.hcl")
	_, top := newNotes().open("everything.hcl", src, clusterSchema())
	said := make(map[string]bool)
	var visit func(n *node)
	visit = func(n *node) {
		for key := range n.attrs {
			said[n.schema.name+" "+key] = true
		}
		for _, b := range n.blocks {
			said[b.Type] = true
			visit(n.node(n.schema.block(b.Type), b.Body, place{}))
		}
	}
	visit(top)
	var want func(s *schema)
	want = func(s *schema) {
		for _, key := range s.keys {
			if !said[s.name+" "+key] {
				t.Errorf("no word of %s in a %s", key, s.name)
			}
		}
		for _, b := range s.blocks {
			if b.name != "service" {
				want(b)
			}
		}
	}
	want(clusterSchema())
}

func TestTheExampleOfEverythingSaysTheSameInJSON(t *testing.T) {
	native, problems := ParseCluster("everything.hcl", testdata(t, "examples/everything.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	inJSON, problems := ParseCluster("everything.json", testdata(t, "examples/everything.json"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(native, inJSON, byValue); diff != "" {
		t.Errorf("(-HCL +JSON):\n%s", diff)
	}
	golden(t, "examples/everything.format.txt", Format(native))
}
