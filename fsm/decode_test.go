package fsm

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// readAsJSON holds that an entry is read as the same JSON is that has spaces in it, which is not taken apart but read, and
// that what is no JSON is refused.
func readAsJSON(t *testing.T, entry []byte) {
	t.Helper()
	c, err := Decode(entry)
	var spaced bytes.Buffer
	if json.Indent(&spaced, entry, "", " ") != nil {
		if err == nil {
			t.Fatalf("%s is no JSON, and is read as %+v", entry, c)
		}
		return
	}
	want, wantErr := Decode(spaced.Bytes())
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s: %v; with spaces: %v", entry, err, wantErr)
	}
	if err != nil {
		return
	}
	a, errA := Encode(c)
	b, errB := Encode(want)
	if !bytes.Equal(a, b) || (errA == nil) != (errB == nil) {
		t.Fatalf("%s is read as %s; with spaces as %s", entry, a, b)
	}
}

func TestEntriesThatAreTakenApartAreReadAsJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{`{"kind":"`, `","body":`, `{"request":"`, `","command":`, `"since":7,`, `}`, `{`, `"`, `\`, `,`, `null`, ` `, "\x00", "\xff", `1`, `once/1`, `{"Verdicts":{`, `}}`, `":{"health":"`, `","cause":"`, `web/198.51.100.11:80`}
	for _, c := range slices.Concat(history(), changes(), requests()) {
		entry, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		readAsJSON(t, entry)
		if len(entry) > 4096 {
			continue
		}
		for range 60 {
			at := r.IntN(min(len(entry), 150))
			cut := r.IntN(min(3, len(entry)-at))
			readAsJSON(t, slices.Concat(entry[:at], []byte(pieces[r.IntN(len(pieces))]), entry[at+cut:]))
		}
		readAsJSON(t, append(entry[:len(entry)-1:len(entry)-1], `,"kind":"set-order/1"}`...))
		readAsJSON(t, append(slices.Clone(entry), entry...))
	}
}

// TestVerdictsAreReadWithoutJSON holds that what is written of verdicts is not left to the reader of JSON, that all which is
// written otherwise is, and that both read the same.
func TestVerdictsAreReadWithoutJSON(t *testing.T) {
	for _, c := range []SetVerdicts{
		{map[ServerKey]Verdict{web11: {Up, "d1, d2: ok"}}}, {map[ServerKey]Verdict{web11: {Down, `d1: Get "http://[::1]/a?b=1&c=<\>": refused`}}},
		{map[ServerKey]Verdict{web11: {Down, "\"é\x00\n\u2028\U0001f512\\"}, web12: {Up, `\`}}}, {map[ServerKey]Verdict{web11: {Up, ""}, web12: {Down, "d1: refused"}}},
	} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := readVerdicts(text); !ok || !maps.Equal(got.Verdicts, c.Verdicts) {
			t.Errorf("%s is read as %v, %v", text, got, ok)
		}
	}
	one := `"web/198.51.100.11:80":{"health":"up","cause":"a"}`
	for _, text := range []string{
		`{"Verdicts":{` + one + `,` + one + `}}`, `{"Verdicts":{` + one + `,}}`, `{"Verdicts":{` + one + `}}}`, `{"Verdicts":{` + one + one + `}}`,
		`{"Verdicts":{` + one + `},"Verdicts":{}}`, `{"Verdicts":{}}`, `{"Verdicts":null}`, `{"verdicts":{` + one + `}}`,
		`{"Verdicts":{"web/198.51.100.11:80":{"health":"up","cause":"\x"}}}`, `{"Verdicts":{"web/198.51.100.11:80":{"health":"up","cause":"\u00"}}}`,
		`{"Verdicts":{"web/198.51.100.11:80":{"health":"up","cause":"\"}}}`, `{"Verdicts":{"web/198.51.100.11:80":{"health":"up","cause":\"a"}}}`,
		"{\"Verdicts\":{\"web/198.51.100.11:80\":{\"health\":\"up\",\"cause\":\"\n\"}}}", `{"Verdicts":{"web\u002f198.51.100.11:80":{"health":"up"}}}`,
		`{"Verdicts":{"web/198.51.100.11:80":{"cause":"a","health":"up"}}}`, `{"Verdicts":{"web/198.51.100.11:80":{"health":"up","other":"a"}}}`,
		`{"Verdicts":{"198.51.100.11:80":{"health":"up"}}}`, `{"Verdicts":{"web/198.51.100.11":{"health":"up"}}}`, `{"Verdicts":{"web/198.51.100.11:80":null}}`,
	} {
		if got, ok := readVerdicts([]byte(text)); ok {
			t.Errorf("%s is read as %v", text, got)
		}
		readAsJSON(t, []byte(`{"kind":"set-verdicts/1","body":`+text+`}`))
	}
}

// FuzzVerdictsAsJSON holds that a cause is read as JSON's reader reads it, or not at all.
func FuzzVerdictsAsJSON(f *testing.F) {
	for _, cause := range []string{"a", `\"`, `\\`, `\u003c\u0026`, `\ud83d\udd12`, `\ud83d`, `\`, `\u12`, "é", "\xff", "\n", `","cause":"b`, `"}`, `"},"web/198.51.100.12:80":{"health":"up`} {
		f.Add([]byte(cause))
	}
	f.Fuzz(func(t *testing.T, cause []byte) {
		text := slices.Concat([]byte(`{"Verdicts":{"web/198.51.100.11:80":{"health":"down","cause":"`), cause, []byte(`"}}}`))
		got, ok := readVerdicts(text)
		var want SetVerdicts
		if err := strict(text, &want); ok && (err != nil || !maps.Equal(got.Verdicts, want.Verdicts)) {
			t.Errorf("%s is read as %v, and as JSON as %v, %v", text, got, want, err)
		}
	})
}

// TestEntriesAreWrittenAsJSON holds that what [Encode] puts together is what the writer of JSON makes of it.
func TestEntriesAreWrittenAsJSON(t *testing.T) {
	odd := []Command{Once{Request: "<é\"\\&\x00\xff>", Since: 3, Command: SetDraining{Name: "<d1>", Draining: true}}}
	for _, c := range slices.Concat(history(), changes(), requests(), rotations(), odd) {
		var body any = c
		if o, ok := c.(Once); ok {
			command, err := Encode(o.Command)
			if err != nil {
				t.Fatal(err)
			}
			body = once{o.Request, o.Since, command}
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(envelope{c.kind(), text})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Encode(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, %v, and as JSON %s", got, err, want)
		}
	}
}
