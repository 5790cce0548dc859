package pki

import "testing"

func FuzzParseToken(f *testing.F) {
	f.Add(NewToken([]byte("cert")).String())
	f.Add("quorate1-")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := ParseToken(text)
		if err != nil {
			return
		}
		if again, err := ParseToken(tok.String()); err != nil || again != tok {
			t.Fatalf("%q became %q", text, tok)
		}
	})
}
