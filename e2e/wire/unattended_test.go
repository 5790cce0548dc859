package wire

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// vip6 is an address with a virtual MAC address, beside the other one.
const vip6 = "2001:db8:1::1"

// speaks are routers with a VRID and what else decides who is heard. A keeper that goes by one believes no advert of who goes by another.
func speaks(vrid int, more string) string {
	return fmt.Sprintf(`router "web" {
  vrid      = %[1]d
  interface = "wan"
  interval  = %[2]q
  addresses = ["192.168.1.1/24"]
  %[3]s
}

router "web6" {
  vrid        = %[1]d
  interface   = "wan"
  interval    = %[2]q
  addresses   = ["fe80::1:1/64", "2001:db8:1::1/64"]
  virtual_mac = true
  %[3]s
}
`, vrid, interval, more)
}

// owners are who has each of the two addresses, by their names; it is an error if that is not one for each.
func (w *testnet) owners() (map[string]string, error) {
	out := map[string]string{}
	for _, a := range []string{vip, vip6} {
		hosts := w.Owners(a)
		if len(hosts) != 1 {
			return nil, fmt.Errorf("%d hosts have %s", len(hosts), a)
		}
		out[a] = hosts[0].Name
	}
	return out, nil
}

// holdsBack has all but one director, whose control is away, go by a file, and returns when that one has not taken the addresses beside
// their owners, though its timer has fired three times at least.
func (w *testnet) holdsBack(t *testing.T, deaf *lab.Director, file string) {
	t.Helper()
	before, err := w.owners()
	if err != nil {
		t.Fatal(err)
	}
	d := w.others(deaf)[0]
	command(t, d, "apply", d.WriteFile("cluster.hcl", file), "--yes").want(t, 0)
	lab.Consistently(t, 3*time.Second, "nobody has the addresses but their owners", func() error {
		for a, owner := range before {
			for _, h := range w.Owners(a) {
				if h.Name != owner {
					return fmt.Errorf("%s has %s, which %s owns", h.Name, a, owner)
				}
			}
		}
		return nil
	})
	if now, err := w.owners(); err != nil || !maps.Equal(now, before) {
		t.Errorf("%v own, before: %v; %v", now, before, err)
	}
}

// A keeper whose control is away does not hear an owner that is configured otherwise meanwhile. It asks the segment before it takes
// the address, leaves it to who answers, and takes it once nobody does.
func TestAKeeperWithoutControlTakesNoAddressThatTheOwnerAnswersFor(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "dk", 3)
	w.Cluster(t)
	w.apply(t, speaks(51, ""))
	w.settled(t)
	var deaf *lab.Director
	lab.Eventually(t, 10*time.Second, "a standby owns neither", func() error {
		names, err := w.owners()
		for _, d := range w.Directors {
			if err == nil && names[vip] != d.Name && names[vip6] != d.Name {
				deaf = d
			}
		}
		return err
	})
	deaf.Control().Kill()
	w.holdsBack(t, deaf, speaks(52, ""))
	deaf.Agent(t)
	lab.Eventually(t, 10*time.Second, deaf.Name+" tells of it", func() error {
		out, err := deaf.Quorate("events")
		v4, v6 := strings.Count(out, " answers for "+vip+" ("), strings.Count(out, "00:00:5e:00:02:34 answers for "+vip6+", ")
		if err == nil && (v4 != 1 || v6 != 1) {
			err = errors.New(out)
		}
		return err
	})
	w.settled(t)
	if err := deaf.Control().Freeze(); err != nil {
		t.Fatalf("%v", err)
	}
	time.Sleep(keeper.Away)
	w.holdsBack(t, deaf, speaks(52, `auth "hmac" { key = "`+strings.Repeat("0a", 32)+`" }`))
	begun := time.Now()
	for _, d := range w.others(deaf) {
		d.Die()
	}
	lab.Eventually(t, moves, deaf.Name+" has the addresses", func() error {
		now, err := w.owners()
		if err == nil && (now[vip] != deaf.Name || now[vip6] != deaf.Name) {
			err = fmt.Errorf("%v", now)
		}
		return err
	})
	t.Logf("%s took the addresses %v after all others had died", deaf.Name, time.Since(begun).Round(time.Millisecond))
}

// The control of the one above: the same, with a keeper that asks nobody.
func TestAKeeperWithoutControlThatAsksNobodyOwnsBesideTheOwner(t *testing.T) {
	t.Parallel()
	w := mutated(t, "dl", mutant.Unasking)
	w.apply(t, speaks(51, ""))
	owner := w.settled(t)
	w.others(owner)[0].Control().Kill()
	command(t, owner, "apply", owner.WriteFile("cluster.hcl", speaks(52, "")), "--yes").want(t, 0)
	w.twoOwn(t)
}
