package wire

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// disbelieved sums up, over all directors, the adverts that were dropped because of who signed them.
func (w *testnet) disbelieved(t lab.T) (n uint64) {
	t.Helper()
	for _, d := range w.Directors {
		var st struct {
			Groups []struct {
				Routers []struct{ Drops map[string]uint64 }
			}
		}
		decode(t, command(t, d, "status", "-o", "json").want(t, 0).out, &st)
		for _, g := range st.Groups {
			for _, r := range g.Routers {
				n += r.Drops["signature"] + r.Drops["not signed"] + r.Drops["replay"] + r.Drops["signed at another time"] + r.Drops["trailing bytes"]
			}
		}
	}
	return n
}

func TestAnHMACKeyIsChangedByThreeAppliesAndNobodyNotices(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	first, second := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	auth := func(keys string) string {
		return strings.TrimSuffix(routerFile, "}\n") + "  auth \"hmac\" {\n" + keys + "  }\n}\n"
	}
	w.apply(t, auth(fmt.Sprintf("    key = %q\n", first)))
	owner := w.settled(t)
	time.Sleep(2 * time.Second) // in which all sign
	before := w.disbelieved(t)
	for _, keys := range []string{
		fmt.Sprintf("    other_key_id = 2\n    other_key = %q\n", second),
		"    key_id = 2\n    other_key_id = 1\n",
		"    key_id = 2\n",
	} {
		w.apply(t, auth(keys))
		time.Sleep(2 * time.Second)
		for _, args := range [][]string{{"show"}, {"show", "-o", "json"}, {"events"}, {"status", "-o", "json"}} {
			if out := command(t, owner, args...).want(t, 0).out; strings.Contains(out, first[:16]) || strings.Contains(out, second[:16]) {
				t.Errorf("%v shows a key:\n%s", args, out)
			}
		}
	}
	if after := w.disbelieved(t); after != before {
		t.Errorf("%d adverts were not believed meanwhile", after-before)
	}
	w.stays(t, owner, 2*time.Second)
}
