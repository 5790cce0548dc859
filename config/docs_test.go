package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func reference(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section returns what stands below a heading, up to the next heading of any level.
func section(t *testing.T, doc, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n"+heading+"\n")
	if !ok {
		t.Errorf("the reference has no section %q", heading)
	}
	lines := strings.Split(rest, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
			return strings.Join(lines[:i], "\n")
		}
	}
	return rest
}

var row = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

// kindsOf are the words that blocks of several kinds have tables of.
var kindsOf = map[string][]string{"check": checkKinds, "auth": authKinds, "track": trackKinds, "placement": fsm.Policies}

func TestTheReferenceHasEveryKeyAndNoOther(t *testing.T) {
	doc := reference(t)
	var visit func(s *schema, heading string)
	visit = func(s *schema, heading string) {
		known := make(map[string]bool)
		text := section(t, doc, heading)
		for _, k := range s.all() {
			known[k] = true
			if !strings.Contains(text, "\n| `"+k+"` | ") {
				t.Errorf("%s: no row for %s", heading, k)
			}
		}
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] && !slices.Contains(kindsOf[s.name], m[1]) {
				t.Errorf("%s: there is no key %s", heading, m[1])
			}
		}
		for _, b := range s.blocks {
			if b.open && b.name == "locals" {
				continue // its keys are the reader's own
			}
			visit(b, "### `"+b.name+"`")
		}
	}
	visit(clusterSchema(), "## The cluster file")
	visit(agentSchema(), "## The agent file")
}

func TestTheReferenceHasTheRightKindsForEachKey(t *testing.T) {
	checks, tracks := make(map[string][]string), make(map[string][]string)
	for _, kind := range checkKinds {
		for _, key := range checkKeys[fsm.CheckKind(kind)] {
			if !slices.Contains(checkKeys[fsm.CheckTCP], key) || key == "port" { // the others have them all
				checks[key] = append(checks[key], kind)
			}
		}
	}
	for _, kind := range trackKinds {
		for _, key := range trackKeys[fsm.TrackKind(kind)] {
			tracks[key] = append(tracks[key], kind)
		}
	}
	for heading, want := range map[string]map[string][]string{"### `check`": checks, "### `track`": tracks} {
		listed := make(map[string]string)
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z, ]+) \\| ").FindAllStringSubmatch(section(t, reference(t), heading), -1) {
			listed[m[1]] = m[2]
		}
		for key, kinds := range want {
			if got := listed[key]; got != strings.Join(kinds, ", ") {
				t.Errorf("%s: %s is said to be for %q, want %q", heading, key, got, strings.Join(kinds, ", "))
			}
		}
	}
}

func TestTheReferenceNamesEveryValue(t *testing.T) {
	doc := reference(t)
	for _, list := range [][]string{forwards, protocols, families, agreements, roles, logLevels, profiles, checksums, routeTypes, hookStates, fsm.QuorumLosses, fsm.SegmentCuts} {
		for _, v := range list {
			if !strings.Contains(doc, "`\""+v+"\"`") {
				t.Errorf("no word of %q", v)
			}
		}
	}
	for _, v := range slices.Concat(fsm.Schedulers, checkKinds, authKinds, trackKinds, fsm.Policies) {
		if !strings.Contains(doc, "`"+v+"`") {
			t.Errorf("no word of %s", v)
		}
	}
	for _, v := range []string{
		DefaultDataDir, DefaultSocket, DefaultSocketGroup, DefaultKeeperSocket, DefaultLogLevel,
		defaultScheduler, string(defaultForward), string(defaultProtocol), string(defaultAgreement), defaultPath,
		formatDuration(defaultAdvertInterval), formatDuration(defaultCheckInterval), formatDuration(defaultCheckTimeout),
		formatDuration(persistPeriod.max), formatDuration(advertPeriod.max), formatDuration(advertPeriodV2.max), formatDuration(checkPeriod.min),
		formatDuration(defaultRefresh), formatDuration(refreshPeriod.max), formatDuration(preemptPeriod.max), formatDuration(defaultHookTimeout),
		formatDuration(profileIntervals["vm"]), formatDuration(profileIntervals["fast"]), formatDuration(defaultFileInterval),
		formatDuration(fsm.Score.DefaultHold()), formatDuration(fsm.Spread.DefaultHold()), formatDuration(holdPeriod.max),
	} {
		if !strings.Contains(doc, "`\""+v+"\"`") {
			t.Errorf("no word of the default or limit %q", v)
		}
	}
}

func TestTheExamplesInTheDocsAreRight(t *testing.T) {
	for name, least := range map[string]int{"configuration.md": 4, "reference.md": 5, "vrrp.md": 6} {
		doc, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		examples := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
		for _, m := range examples {
			file, parse := "cluster."+m[1], func(file string, src []byte) Problems { _, p := ParseCluster(file, src); return p }
			if strings.HasPrefix(m[2], "# agent.hcl") {
				file, parse = "agent.hcl", func(file string, src []byte) Problems { _, p := ParseAgent(file, src); return p }
			}
			if err := parse(file, []byte(m[2])).Err(); err != nil {
				t.Errorf("%s: %v in\n%s", name, err, m[2])
			}
		}
		if len(examples) < least {
			t.Errorf("%s: %d examples found", name, len(examples))
		}
	}
}
