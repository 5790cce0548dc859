package agent

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestAnInterfaceThatADirectorLacksIsNamedWithTheNearest(t *testing.T) {
	r := report{Name: "d1", Links: []string{"lo", "eth0"}, Names: map[string]string{"wan": "eth0"}}
	for name, want := range map[string]string{
		"wna":  `error: router "r": d1 has no interface "wna" (did you mean "wan"? d1 has lo, eth0, and its agent file names wan)`,
		"ens9": `error: router "r": d1 has no interface "ens9" (d1 has lo, eth0, and its agent file names wan)`,
		"wan":  "",
		"eth0": "",
	} {
		cfg := fsm.Config{Routers: map[string]fsm.Router{"r": {Name: "r", Interface: name}}}
		var got strings.Builder
		for _, p := range together(misfits(cfg, r)) {
			p.Path = ""
			got.WriteString(p.String())
		}
		if got.String() != want {
			t.Errorf("%s: got %q, want %q", name, got.String(), want)
		}
	}
}
