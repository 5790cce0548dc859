package syntax

import (
	"os"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FuzzPlain holds that the guard of tokens has nothing to say of a text that is plain.
func FuzzPlain(f *testing.F) {
	src, err := os.ReadFile("../testdata/article.format.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	for _, src := range []string{
		"a = [1, 2]\n", "a [0] [1]", "a = 1e9", "x = \"a${b}\"", "a == b", "a = 1.5", "b { c = \"[{(\" }", "}}", "a = b[c]", "\"a\"[", "1 2",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if !plain(src) {
			return
		}
		tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
		if text, at := Tokens(tokens); text != "" {
			t.Errorf("%q is plain, and the guard says %v: %s", src, at, text)
		}
	})
}
