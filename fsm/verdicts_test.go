package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestTheTextOfVerdictsIsThatOfAMap: it is written by hand, and is what older versions have in their snapshots. Their order is
// that of the texts of their keys, in which a service may stand between two servers of another.
func TestTheTextOfVerdictsIsThatOfAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"", "web", "web-1", "web.1", "web/1", "web/10.0.0.1", `"\\<&>`, "ü\u2028", "\x00", "z"}
	for range 200 {
		all := map[ServerKey]Verdict{}
		for range rnd.IntN(40) {
			address := netip.MustParseAddr(fmt.Sprintf([]string{"10.0.0.%d", "2001:db8::%d", "::ffff:10.0.0.%d"}[rnd.IntN(3)], rnd.IntN(200)))
			key := ServerKey{names[rnd.IntN(len(names))], netip.AddrPortFrom(address, uint16(rnd.IntN(3)*40))}
			all[key] = Verdict{[]Health{Up, Down, Unknown, ""}[rnd.IntN(4)], []string{"", "d1: ok", `d1: "\\<&> ü`}[rnd.IntN(3)]}
		}
		want, err := json.Marshal(all)
		got, errGot := json.Marshal(VerdictsOf(all))
		if err != nil || errGot != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s\nwant %v\n%s", errGot, got, err, want)
		}
		var read Verdicts
		if err := json.Unmarshal(got, &read); err != nil || !sameText(read, got) {
			t.Fatalf("%s\nis read as %v: %v", got, maps.Collect(read.All()), err)
		}
		if have := VerdictsOf(all); !maps.Equal(maps.Collect(have.All()), all) || have.IsZero() != (len(all) == 0) {
			t.Fatalf("%v are %v", all, have)
		}
	}
}

func sameText(v Verdicts, want []byte) bool {
	got, err := json.Marshal(v)
	return err == nil && bytes.Equal(got, want)
}
