package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// needy is a network whose router needs an uplink, which each director has beside its other links, and has
// a hook that writes down what it was told.
func needy(t *testing.T) (w *testnet, uplink *lab.Segment) {
	t.Helper()
	drawing.Lock()
	n := lab.New(t)
	w = &testnet{&lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}}
	uplink = n.Segment("uplink")
	for i := range 3 {
		at := func(net int) string { return fmt.Sprintf("192.168.%d.%d/24", net, 2+i) }
		w.Directors = append(w.Directors, n.Director(fmt.Sprintf("n%d", i+1), w.Outer.At(at(1)), uplink.At(at(3)), w.Inner.At(at(2))))
	}
	w.Client = n.Host("client", w.Outer.At("192.168.1.100/24"))
	drawing.Unlock()
	for _, d := range w.Directors {
		d.Interfaces = [][2]string{{"wan", "eth0"}, {"uplink", "eth1"}, {"lan", "eth2"}}
	}
	w.Cluster(t)
	hook := w.Directors[0].WriteFile("hook", "#!/bin/sh\n"+
		`echo "$QUORATE_STATE $QUORATE_GROUP $QUORATE_EPOCH $QUORATE_ADDRESSES: $QUORATE_REASON" >>"${0%/*}/told-$QUORATE_DIRECTOR"`+"\n")
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	w.apply(t, strings.Replace(routerFile, "\n}\n", fmt.Sprintf(`
  require "uplink" {}
  hook "dns" {
    command = [%q]
    user    = "root"
  }
}

track "interface" "uplink" { interface = "uplink" }
`, hook), 1))
	return w, uplink
}

// told is what a director's hooks were told, line by line.
func told(w *testnet, d *lab.Director) []string {
	text, err := os.ReadFile(filepath.Join(w.Directors[0].Dir, "etc", "told-"+d.Name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestWhatAnOwnerMustHaveDecidesWhoOwnsAndHooksFollow(t *testing.T) {
	t.Parallel()
	w, uplink := needy(t)
	owner := w.settled(t)
	lastTold := func(d *lab.Director, what string) {
		t.Helper()
		lab.Eventually(t, 10*time.Second, d.Name+" has told its hooks: "+what, func() error {
			lines := told(w, d)
			if len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], what) {
				return fmt.Errorf("%q", lines)
			}
			return nil
		})
	}
	lastTold(owner, fmt.Sprintf("owner web %d 192.168.1.1/24: ", epoch(t, owner)))
	for _, d := range w.others(owner) {
		lastTold(d, "standby web")
	}
	before := epoch(t, owner)
	var back func()
	r := w.watch(t, func() {
		back = w.Unplug(owner.Host, uplink)
		w.taken(t, owner)
	})
	gap(t, r, unnoticed)
	next := w.settledBut(t, owner)
	w.told(t, before+1, owner.Name+` may not own it: track "uplink"`, owner)
	lastTold(next, fmt.Sprintf("owner web %d ", before+1))
	lastTold(owner, "fault web")
	if out := command(t, next, "status").want(t, 0).out; !strings.Contains(out, owner.Name+" cannot own web") {
		t.Errorf("status says nothing of it:\n%s", out)
	}
	back()
	lastTold(owner, "standby web")
	if now := w.settled(t); now != next {
		t.Errorf("%s owns, %s did", now.Name, next.Name)
	}
	w.Unplug(next.Host, uplink)
	for _, d := range w.others(next) {
		w.Unplug(d.Host, uplink)
	}
	lab.Eventually(t, 10*time.Second, "nobody owns what nobody may", func() error {
		if owners := w.Owners(vip); len(owners) > 0 {
			return errors.New(owners[0].Name + " does")
		}
		out := command(t, next, "explain", "group", group).want(t, 0).out
		if !strings.Contains(out, ` cannot: track "uplink"`) {
			return fmt.Errorf("nobody says why: %s", out)
		}
		return nil
	})
}

// settledBut is agreed on another owner than one.
func (w *testnet) settledBut(t lab.T, not *lab.Director) *lab.Director {
	t.Helper()
	owner := w.agreed(t)
	if owner == not || !slices.Contains(w.Directors, owner) {
		t.Fatalf("%s owns", owner.Name)
	}
	return owner
}
