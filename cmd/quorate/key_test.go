package main

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
)

func TestWhatEndsWithACAIsSaidBeforeAndAfter(t *testing.T) {
	k := api.KeyStatus{What: "ca", Former: "5e4f3021", Directors: []api.KeyUse{{Name: "d1", Answers: true}, {Name: "d2"}}}
	hanging := k
	hanging.Certificates, hanging.Tokens = 1, 2
	const d2 = "d2, which does not answer, has to leave and join again"
	for _, tt := range []struct {
		name        string
		k           api.KeyStatus
		force, mine bool
		want, then  string
	}{
		{"nothing", k, false, false, "", ""},
		{"a director that is away", k, true, false, d2, "`quorate leave --force` there, `quorate remove d2` here"},
		{"certificates and tokens", hanging, false, false, "end 1 certificate of people and programs, and 2 tokens", ""},
		{"that of who asks", hanging, false, true, "the certificate that asks is one of them", "`quorate cert create`"},
		{"all", hanging, true, true, "is one of them, and " + d2, "`quorate remove d2`"},
	} {
		e := endingWith(tt.k, tt.force, tt.mine)
		if tt.want == "" && len(e.what)+len(e.then) > 0 || !strings.Contains(e.question(), tt.want) || !strings.Contains(strings.Join(e.then, "; "), tt.then) {
			t.Errorf("%s: %q, then %q", tt.name, e.question(), e.then)
		}
		if e.counted != (tt.k.Certificates > 0) {
			t.Errorf("%s: counted %v", tt.name, e.counted)
		}
	}
}

func TestTheEndOfAKeyIsSaidToTheSecondWhenItIsNear(t *testing.T) {
	for text, at := range map[string]time.Time{
		"": {}, ", which ended on 2026-11-01 12:00:00": noon, ", which ends at 2026-11-01 12:01:30": noon.Add(90 * time.Second), ", which ends on 2026-11-04": noon.AddDate(0, 0, 3),
	} {
		if got := until(at, noon); got != text {
			t.Errorf("%v: %q, want %q", at, got, text)
		}
	}
}
