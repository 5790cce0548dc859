package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func reference(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/configuration.md")
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

func TestTheReferenceHasEveryKeyAndNoOther(t *testing.T) {
	doc := reference(t)
	var visit func(s *schema, heading string)
	visit = func(s *schema, heading string) {
		known := make(map[string]bool)
		text := section(t, doc, heading)
		for _, k := range s.keys {
			known[k] = true
			if !strings.Contains(text, "\n| `"+k+"` | ") {
				t.Errorf("%s: no row for %s", heading, k)
			}
		}
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			if _, kind := checkKeys[fsm.CheckKind(m[1])]; !known[m[1]] && (s.name != "check" || !kind) {
				t.Errorf("%s: there is no key %s", heading, m[1])
			}
		}
		for _, b := range s.blocks {
			visit(b, "### `"+b.name+"`")
		}
	}
	visit(clusterSchema(), "## The cluster file")
	visit(agentSchema(), "## The agent file")
}

func TestTheReferenceHasTheRightKindsForEachKeyOfACheck(t *testing.T) {
	text := section(t, reference(t), "### `check`")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ([a-z, ]+) \\| .* \\| .* \\| .* \\|$").FindAllStringSubmatch(text, -1) {
		key, listed := m[1], m[2]
		if key == "interval" || key == "timeout" || key == "rise" || key == "fall" {
			continue
		}
		var kinds []string
		for _, kind := range checkKinds {
			for _, k := range checkKeys[fsm.CheckKind(kind)] {
				if k == key {
					kinds = append(kinds, kind)
				}
			}
		}
		if want := strings.Join(kinds, ", "); listed != want {
			t.Errorf("%s: the reference says %q, want %q", key, listed, want)
		}
	}
}

func TestTheReferenceNamesEveryValue(t *testing.T) {
	doc := reference(t)
	for _, list := range [][]string{forwards, protocols, families, agreements, roles, logLevels} {
		for _, v := range list {
			if !strings.Contains(doc, "`\""+v+"\"`") {
				t.Errorf("no word of %q", v)
			}
		}
	}
	for _, v := range append(fsm.Schedulers, checkKinds...) {
		if !strings.Contains(doc, "`"+v+"`") {
			t.Errorf("no word of %s", v)
		}
	}
	for _, v := range []string{
		DefaultDataDir, DefaultSocket, DefaultSocketGroup, DefaultKeeperSocket, DefaultLogLevel,
		defaultScheduler, string(defaultForward), string(defaultProtocol), string(defaultAgreement), defaultPath,
		formatDuration(defaultAdvertInterval), formatDuration(defaultCheckInterval), formatDuration(defaultCheckTimeout),
		formatDuration(persistPeriod.max), formatDuration(advertPeriod.max), formatDuration(checkPeriod.min),
	} {
		if !strings.Contains(doc, "`\""+v+"\"`") {
			t.Errorf("no word of the default or limit %q", v)
		}
	}
}

func TestTheReferencesExamplesAreRight(t *testing.T) {
	n := 0
	for _, m := range regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```").FindAllStringSubmatch(reference(t), -1) {
		n++
		name, parse := "cluster."+m[1], func(file string, src []byte) Problems { _, p := ParseCluster(file, src); return p }
		if strings.HasPrefix(m[2], "# agent.hcl") {
			name, parse = "agent.hcl", func(file string, src []byte) Problems { _, p := ParseAgent(file, src); return p }
		}
		if err := parse(name, []byte(m[2])).Err(); err != nil {
			t.Errorf("%v in\n%s", err, m[2])
		}
	}
	if n < 6 {
		t.Errorf("%d examples found", n)
	}
}
