package keepalived

import (
	"os"
	"strings"
	"testing"
)

func keywordList(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("testdata/keywords.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]bool)
	for name := range strings.FieldsSeq(string(b)) {
		list[name] = true
	}
	if len(list) < 350 {
		t.Fatalf("the list has only %d keywords", len(list))
	}
	return list
}

func TestEveryKeywordOfKeepalivedHasAFate(t *testing.T) {
	list, known := keywordList(t), make(map[string]bool)
	for _, k := range Keywords() {
		known[k.Name] = true
		if k.Text == "" || k.Fate != Carried && k.Fate != Differs && k.Fate != Dropped {
			t.Errorf("%s: what becomes of it is not said: %+v", in(k.Block, k.Name), k)
		}
		if !list[k.Name] {
			t.Errorf("%s is no keyword of keepalived", in(k.Block, k.Name))
		}
	}
	for name := range list {
		if !known[name] {
			t.Errorf("%s has no fate", name)
		}
	}
}

func TestNoKeywordIsTwiceInABlock(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range Keywords() {
		if name := in(k.Block, k.Name); seen[name] {
			t.Errorf("%s is there twice", name)
		} else {
			seen[name] = true
		}
	}
}
