package main

import (
	"encoding/pem"
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

func TestFilesOfAnOwnCAThatAreMixedUpAreNamed(t *testing.T) {
	text := func(kind string, headers map[string]string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte("x")}))
	}
	cert, key := text("CERTIFICATE", nil), text("PRIVATE KEY", nil)
	old := text("EC PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"})
	for _, tt := range []struct{ flag, text, want string }{
		{"ca-cert", cert, ""}, {"ca-key", key, ""}, {"ca-key", text("EC PARAMETERS", nil) + text("EC PRIVATE KEY", nil), ""},
		{"ca-cert", key, "holds a private key"}, {"ca-key", cert, "holds a certificate"},
		{"ca-cert", cert + key, "holds a private key"}, {"ca-key", key + cert, "holds a certificate"},
		{"ca-key", old, "is encrypted"}, {"ca-key", text("ENCRYPTED PRIVATE KEY", nil), "is encrypted"},
	} {
		err := otherPEM(tt.flag, "ca.pem", []byte(tt.text))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("--%s %q: %v, want %q", tt.flag, tt.text, err, tt.want)
		}
	}
}
