package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

// Opinion is what one live observer thinks of a real server.
type Opinion struct {
	Observer string
	Health   fsm.Health
	Cause    string
}

// Agree returns the verdict that the opinions of the live observers amount to, and whether its
// health differs from that of prev; if not, the verdict is prev. An observer whose health is unknown
// has no opinion. Without any opinion, and at a tie, the old verdict stays.
func Agree(prev fsm.Verdict, agreement fsm.Agreement, opinions []Opinion) (fsm.Verdict, bool) {
	ups, downs := 0, 0
	for _, o := range opinions {
		switch o.Health {
		case fsm.Up:
			ups++
		case fsm.Down:
			downs++
		}
	}
	health := prev.Health
	switch {
	case ups+downs == 0:
	case agreement == fsm.Any:
		health = either(downs > 0)
	case agreement == fsm.All:
		health = either(ups == 0)
	case downs != ups: // majority
		health = either(downs > ups)
	}
	if health == prev.Health {
		return prev, false
	}
	return fsm.Verdict{Health: health, Cause: who(opinions, health)}, true
}

func either(down bool) fsm.Health {
	if down {
		return fsm.Down
	}
	return fsm.Up
}

const maxVerdictCause = 400 // bytes; a verdict is in the log, one for each server

// who tells who saw what, first those who agree with the verdict: "down at lb1, lb2: connection
// refused; up at lb3".
func who(opinions []Opinion, verdict fsm.Health) string {
	type seen struct {
		health fsm.Health
		cause  string
	}
	observers := map[seen][]string{}
	for _, o := range opinions {
		if o.Health == fsm.Up || o.Health == fsm.Down {
			k := seen{o.Health, o.Cause}
			if o.Health == fsm.Up {
				k.cause = ""
			}
			observers[k] = append(observers[k], o.Observer)
		}
	}
	for _, names := range observers {
		slices.Sort(names)
	}
	order := slices.SortedFunc(maps.Keys(observers), func(a, b seen) int {
		switch {
		case a.health != b.health && a.health == verdict:
			return -1
		case a.health != b.health:
			return 1
		}
		return strings.Compare(observers[a][0]+"\x00"+a.cause, observers[b][0]+"\x00"+b.cause)
	})
	parts := make([]string, len(order))
	for i, k := range order {
		parts[i] = string(k.health) + " at " + strings.Join(observers[k], ", ")
		if k.cause != "" {
			parts[i] += ": " + k.cause
		}
	}
	return program.Printable(strings.Join(parts, "; "), maxVerdictCause)
}

// Inputs is what verdicts are made from.
type Inputs struct {
	Verdicts fsm.Verdicts                             // as the log has them
	Services fsm.Map[fsm.Service]                     // by name
	Reports  map[string]map[fsm.ServerKey]Observation // by live observer; who is not live is left out
}

// AgreeAll returns the verdicts that must change, for one command. It depends on nothing but its
// arguments. Observations by other checks than the service has now are no opinions; the servers of
// a service without checks are up.
func AgreeAll(in Inputs) map[fsm.ServerKey]fsm.Verdict {
	changed := map[fsm.ServerKey]fsm.Verdict{}
	observers := slices.Sorted(maps.Keys(in.Reports))
	for name, service := range in.Services.All() {
		checks := Fingerprint(service.Checks)
		for _, server := range service.Servers {
			key := fsm.ServerKey{Service: name, Server: server.Address}
			prev, _ := in.Verdicts.Of(key)
			carried := prev.Cause == fsm.UpBefore // by what was asked before: now they say why
			if len(service.Checks) == 0 && prev.Health == fsm.Up && !carried {
				continue
			}
			if prev.Health == "" || carried {
				prev = fsm.Verdict{Health: fsm.Unknown}
			}
			if len(service.Checks) == 0 {
				changed[key] = fsm.Verdict{Health: fsm.Up, Cause: noChecks}
				continue
			}
			var opinions []Opinion
			for _, observer := range observers {
				if o, ok := in.Reports[observer][key]; ok && o.by(checks) {
					opinions = append(opinions, Opinion{Observer: observer, Health: o.Health, Cause: o.Cause})
				}
			}
			v, ok := Agree(prev, service.Agreement, opinions)
			if ok && (!carried || v.Health == fsm.Up || heard(opinions, len(observers))) {
				changed[key] = v
			}
		}
	}
	return changed
}

// heard reports whether enough observers have spoken to take out a server that carries traffic: all of them, or more than half
// that find it down. Of those who have not come to it yet most may find it up.
func heard(opinions []Opinion, observers int) bool {
	spoken, downs := 0, 0
	for _, o := range opinions {
		if o.Health != fsm.Unknown {
			spoken++
		}
		if o.Health == fsm.Down {
			downs++
		}
	}
	return spoken == observers || 2*downs > observers
}

const noChecks = "the service has no checks"

// Fingerprint names what a list of checks probes: two lists with the same fingerprint ask the same
// of a server. Interval, timeout, rise and fall are not part of it, so that tuning them forgets
// nothing.
func Fingerprint(checks []fsm.Check) string {
	if len(checks) == 0 {
		return ""
	}
	h := sha256.New()
	for _, c := range checks {
		h.Write([]byte(fingerprint(c)))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func fingerprint(c fsm.Check) string {
	text, err := json.Marshal(c.Question())
	if err != nil {
		panic("checks: a check has no JSON form: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return string(sum[:])
}
