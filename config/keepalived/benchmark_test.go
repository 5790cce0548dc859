package keepalived

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkImport is of 200 services with 50 servers each.
func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	for s := range 200 {
		fmt.Fprintf(&text, "virtual_server 10.0.%d.1 80 {\n protocol TCP\n", s)
		for r := range 50 {
			fmt.Fprintf(&text, " real_server 10.1.%d.%d 80 {\n  TCP_CHECK {\n   connect_timeout 2\n  }\n }\n", s, r+1)
		}
		text.WriteString("}\n")
	}
	in := files(map[string]string{"f": text.String()})
	for b.Loop() {
		if r, err := Import(in, []Input{{"f", ""}}); err != nil || r.Config.Services.Len() != 200 {
			b.Fatal(r.Config.Services.Len(), err)
		}
	}
}
