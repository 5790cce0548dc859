package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

const caKey = "the CA's key"

// aState is a small cluster's.
func aState(t *testing.T) fsm.State {
	t.Helper()
	s := fsm.Empty
	cfg := current()
	r := cfg.Routers["web"]
	r.Version, r.Auth = 2, &fsm.Auth{Kind: fsm.AuthPassword, Key: "s3cr3t"}
	cfg.Routers["web"] = r
	for i, c := range []fsm.Command{
		fsm.InitCluster{ClusterID: "c0ffee", Level: 1, Member: fsm.Member{ID: "1", Name: "d1", Role: fsm.RoleDirector, Version: "1.0"}, Secrets: fsm.Secrets{CAKey: []byte(caKey)}},
		fsm.PutConfig{Config: cfg},
		fsm.SetOwner{Group: "web", Owner: "d1", Epoch: 1},
	} {
		next, _, err := fsm.Apply(s, uint64(i+2), c)
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return s
}

func savedText(t *testing.T, s fsm.State) []byte {
	t.Helper()
	text, err := fsm.Saved{At: noon, Director: "d1", Version: "1.0", State: s}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keeps is an agent that saves and restores.
type keeps struct {
	whole

	text     []byte
	err      error
	restored []api.RestoreRequest
	changes  []config.Change
}

func (k *keeps) SaveSnapshot(context.Context, api.SaveRequest) (api.SavedState, error) {
	return api.SavedState{Text: k.text}, k.err
}

func (k *keeps) PlanRestore(context.Context, api.RestoreRequest) (api.Plan, error) {
	return api.Plan{Base: 7, Changes: k.changes}, k.err
}

func (k *keeps) Restore(_ context.Context, r api.RestoreRequest) (api.ApplyResult, error) {
	k.restored = append(k.restored, r)
	return api.ApplyResult{Revision: r.Base + 1}, nil
}

func TestKeysAreNotWrittenToWhatMayBeStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"snapshot", "save", "-"}, {"cert", "create", "ann", "--out", "-"}} {
		out, errOut, code := quorate(t, &keeps{text: savedText(t, aState(t))}, nil, args...)
		if code != exitError || out != "" || !strings.Contains(errOut, "name a file") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errOut)
		}
		if _, err := os.Lstat("-"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: there is a file called -: %v", args, err)
		}
	}
	if _, errOut, code := quorate(t, &keeps{text: savedText(t, aState(t))}, nil, "snapshot", "save", "./-"); code != exitOK {
		t.Errorf("a file called - all the same: exit %d, %s", code, errOut)
	}
}

// quorate runs a command against an agent.
func quorate(t *testing.T, a api.Agent, in *os.File, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	if in == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		in = null
	}
	code = run(append(args, "--socket", serve(t, a)), in, &o, &e)
	return o.String(), e.String(), code
}

func TestSaveWritesAFileForItsOwnerAlone(t *testing.T) {
	s := aState(t)
	a := &keeps{text: savedText(t, s)}
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, []byte("an older one"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := quorate(t, a, nil, "snapshot", "save", file)
	if code != 0 || !strings.Contains(out, s.Hash()) || !strings.Contains(errOut, "CA key") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	have, err := os.ReadFile(file)
	st, statErr := os.Stat(file)
	if err != nil || statErr != nil || !bytes.Equal(have, a.text) || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, %v", st.Mode(), err, statErr)
	}
}

// TestSaveFromADataDirectoryNeedsNoAgent, and says what it could not read.
func TestSaveFromADataDirectoryNeedsNoAgent(t *testing.T) {
	dir := t.TempDir()
	local := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port) }
	if err := cluster.Init(t.Context(), cluster.Config{Name: "d1", DataDir: dir, Bind: local(7400), Gossip: local(7401)}); err != nil {
		t.Fatal(err)
	}
	nobody := &keeps{err: errors.New("no agent is asked")}
	file := filepath.Join(t.TempDir(), "state")
	out, errOut, code := quorate(t, nobody, nil, "snapshot", "save", file, "--from", dir)
	if code != exitOK || !strings.Contains(out, "saved: revision 0") || strings.Contains(errOut, "there may have been more") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := fsm.DecodeSaved(text); err != nil || s.Director != "d1" || s.Version != version || !s.Stale || len(s.State.Members) != 1 {
		t.Errorf("%+v: %v", s, err)
	}
	if err := os.Remove(filepath.Join(dir, "cluster", "raft.db")); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, errOut, code := quorate(t, nobody, nil, "snapshot", "save", none, "--from", dir); code != exitError || !strings.Contains(errOut, "can be read") {
		t.Errorf("of nothing: exit %d: %s", code, errOut)
	}
	if _, err := os.Lstat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file of nothing: %v", err)
	}
}

func TestADirectoryIsNoFileToWrite(t *testing.T) {
	dir := t.TempDir()
	want := "quorate: write " + dir + ": is a directory: name the file in it\n"
	for _, args := range [][]string{{"snapshot", "save", dir}, {"cert", "create", "ann", "--out", dir}} {
		out, errOut, code := quorate(t, &keeps{text: savedText(t, aState(t))}, nil, args...)
		if code != exitError || out != "" || errOut != want {
			t.Errorf("%v: exit %d, %q and %q", args, code, out, errOut)
		}
	}
}

func TestSaveKeepsTheOldFileWhenItFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	if err := os.WriteFile(file, []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := savedText(t, aState(t))
	for name, a := range map[string]*keeps{
		"the agent refuses":    {err: errors.New("no leader")},
		"the answer is broken": {text: text[:len(text)-1]},
	} {
		_, errOut, code := quorate(t, a, nil, "snapshot", "save", file)
		have, _ := os.ReadFile(file)
		names, _ := os.ReadDir(dir)
		if code != 1 || string(have) != "an older one" || len(names) != 1 {
			t.Errorf("%s: exit %d, %s, %v, %q", name, code, errOut, names, have)
		}
	}
}

func TestInspectShowsNoSecretAndNeedsNoAgent(t *testing.T) {
	s := aState(t)
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, savedText(t, s), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		var out, errOut bytes.Buffer
		code := run([]string{"snapshot", "inspect", file, "-o", format, "--socket", "/nowhere"}, strings.NewReader(""), &out, &errOut)
		text := out.String()
		if code != 0 || strings.Contains(text, "s3cr3t") || strings.Contains(text, caKey) || strings.Contains(text, "dGhlIENB") {
			t.Errorf("exit %d: %s%s", code, text, errOut.String())
		}
		for _, want := range []string{"c0ffee", s.Hash(), "d1", "web", "2026-11-01"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
	}
}

func TestASecretThatOthersCanReadIsToldInOneLineAndLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	key, _, err := api.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text []byte
		args []string
		lets string
	}{
		"state":    {savedText(t, aState(t)), []string{"snapshot", "inspect", filepath.Join(dir, "state")}, "become a director"},
		"cert.pem": {key, []string{"status", "--address", "192.0.2.1", "--cert", filepath.Join(dir, "cert.pem")}, "ask as its holder"},
		"ca.key":   {key, []string{"key", "rotate", "ca", "--ca-cert", "testdata/own-ca.pem", "--ca-key", filepath.Join(dir, "ca.key")}, "sign for this cluster"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, tt.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o646); err != nil { // against the umask
			t.Fatal(err)
		}
		said := "warning: " + file + " (mode 0646) is open to other users, who can " + tt.lets + "\n"
		for range 2 { // a person has set it up so
			if _, errOut, _ := quorate(t, &keeps{}, nil, tt.args...); !strings.HasPrefix(errOut, said) || strings.Count(errOut, "open to") != 1 {
				t.Errorf("%s: it says %q", name, errOut)
			}
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o646 {
				t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
			}
		}
	}
	other := filepath.Join(dir, "web.hcl")
	if err := errors.Join(os.WriteFile(other, []byte("router {}"), 0o600), os.Chmod(other, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"snapshot", "inspect", other}, {"status", "--address", "192.0.2.1", "--cert", other}, {"key", "rotate", "ca", "--ca-cert", "testdata/own-ca.pem", "--ca-key", other}} {
		quorate(t, &keeps{}, nil, args...)
		if info, err := os.Stat(other); err != nil || info.Mode() != 0o644 {
			t.Errorf("%v: a file that holds no secret has mode %v, %v", args, info.Mode(), err)
		}
	}
}

func TestAFileThatIsNotWholeReachesNoAgent(t *testing.T) {
	dir := t.TempDir()
	text := savedText(t, aState(t))
	flipped := bytes.Clone(text)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{"cut": text[:len(text)-9], "flipped": flipped, "other": []byte("hello\n")} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &keeps{changes: []config.Change{{Verb: config.Add, Kind: config.KindRouter, Name: "web"}}}
		for _, args := range [][]string{{"snapshot", "restore", file, "--yes"}, {"snapshot", "inspect", file}} {
			out, errOut, code := quorate(t, a, nil, args...)
			if code != 1 || out != "" || !strings.HasPrefix(errOut, "quorate: "+file+": ") || strings.Count(errOut, "\n") != 1 || len(a.restored) > 0 {
				t.Errorf("%v: exit %d, %q, %q, restored %v", args, code, out, errOut, a.restored)
			}
		}
	}
	if _, errOut, code := quorate(t, &keeps{}, nil, "snapshot", "inspect", dir); code != 1 || !strings.Contains(errOut, "no regular file") {
		t.Errorf("a folder: %d %s", code, errOut)
	}
}

func TestRestoreShowsThePlanAndAsksAPerson(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, savedText(t, aState(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	changes := []config.Change{{Verb: config.Add, Kind: config.KindRouter, Name: "web"}}
	for _, tt := range []struct {
		name, answer string
		args         []string
		code         int
		restored     bool
	}{
		{name: "yes", answer: "y\n", restored: true},
		{name: "no", answer: "n\n", code: 1},
		{name: "nothing", answer: "\n", code: 1},
		{name: "a person who said it already", answer: "n\n", args: []string{"--yes"}, restored: true},
		{name: "a program", code: 1},
		{name: "a program that was told to", args: []string{"--yes"}, restored: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var terminal *os.File
			if tt.answer != "" {
				var master *os.File
				master, terminal = openTerminal(t)
				if _, err := master.WriteString(tt.answer); err != nil {
					t.Fatal(err)
				}
			}
			a := &keeps{changes: changes}
			out, errOut, code := quorate(t, a, terminal, append([]string{"snapshot", "restore", file}, tt.args...)...)
			if code != tt.code || (len(a.restored) == 1) != tt.restored || !strings.Contains(out, "router") {
				t.Errorf("exit %d, restored %v, said %q %q", code, a.restored, out, errOut)
			}
			if tt.answer == "" && !tt.restored && errOut != "quorate: not restored: standard input is no terminal, so nobody can be asked; confirm with --yes\n" {
				t.Errorf("it does not say why: %q", errOut)
			}
			if tt.restored && (a.restored[0].Base != 7 || !strings.Contains(out, "restored: revision 8")) {
				t.Errorf("%+v, %q", a.restored[0], out)
			}
		})
	}
	a := &keeps{}
	out, _, code := quorate(t, a, nil, "snapshot", "restore", file, "-o", "json")
	var res api.ApplyResult
	if err := json.Unmarshal([]byte(out), &res); err != nil || code != 0 || res.Revision != 7 || len(a.restored) > 0 {
		t.Errorf("nothing to change: exit %d, %q, %v, restored %v", code, out, err, a.restored)
	}
}
