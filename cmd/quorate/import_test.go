package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportPrintsAClusterFileAndBesideItAReport(t *testing.T) {
	var out, errOut bytes.Buffer
	code := run([]string{"import", "keepalived", "testdata/keepalived.conf"}, strings.NewReader(""), &out, &errOut)
	if code != exitChange {
		t.Errorf("exit %d, want %d: mail is not carried over", code, exitChange)
	}
	const line = "testdata/keepalived.conf:8: not carried over: vrrp_instance smtp_alert: "
	if report := errOut.String(); !strings.HasPrefix(report, line) || !strings.HasSuffix(report, "\n1 not carried over, 1 with a difference, 4 as they are\n") {
		t.Errorf("report:\n%s", report)
	}
	file := filepath.Join(t.TempDir(), "cluster.hcl")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var valid bytes.Buffer
	if code := run([]string{"validate", file}, strings.NewReader(""), &valid, &valid); code != exitOK {
		t.Errorf("the cluster file is not valid: %s\n%s", &valid, &out)
	}
}

func TestImportReadsAPipeOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/keepalived.conf")
	if err != nil {
		t.Fatal(err)
	}
	const ldirectord = "virtual = 192.0.2.1:80\n\treal = 198.51.100.11:80 gate\n\tchecktype = connect\n"
	pipe := func(text []byte) string {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return fmt.Sprintf("/dev/fd/%d", r.Fd())
	}
	for name, args := range map[string][]string{
		"-": {"keepalived", "-"}, "a pipe": {"keepalived", pipe(text)}, "a pipe of hosts": {"keepalived", pipe(append(text, "\n@lb1 net_namespace a\n"...))},
		"- of ldirectord": {"ldirectord", "-"}, "a pipe of ldirectord": {"ldirectord", pipe([]byte(ldirectord))},
	} {
		t.Run(name, func(t *testing.T) {
			in := string(text)
			if args[0] == "ldirectord" {
				in = ldirectord
			}
			var out, errOut bytes.Buffer
			if code := run(append([]string{"import"}, args...), strings.NewReader(in), &out, &errOut); code == exitError || out.Len() == 0 {
				t.Errorf("exit %d: %s", code, &errOut)
			}
		})
	}
}

func TestImportReadsFilesAndPipesAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte("include /dev/zero\nvrrp_instance web {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.1/24\n }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]struct {
		code int
		text string
	}{
		file:          {exitChange, ":1: not carried over: include: nothing of it is in the cluster file: /dev/zero is neither a file nor a pipe"},
		"/dev/zero":   {exitError, "/dev/zero is neither a file nor a pipe"},
		t.TempDir():   {exitError, "is neither a file nor a pipe"},
		"/none/there": {exitError, "no such file"},
	} {
		var out, errOut bytes.Buffer
		if code := run([]string{"import", "keepalived", arg}, strings.NewReader(""), &out, &errOut); code != want.code || !strings.Contains(errOut.String(), want.text) {
			t.Errorf("%s: exit %d: %s", arg, code, &errOut)
		}
	}
}

// endless is a reader that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestWhatNeverEndsIsNotReadForEver(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run([]string{"import", "keepalived", "-"}, endless{}, &out, &errOut); code != exitError || !strings.Contains(errOut.String(), "standard input: it has more than 64 MiB") {
		t.Errorf("exit %d: %s", code, &errOut)
	}
}

func TestImportOfLdirectord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ldirectord.cf")
	text := "virtual = 192.0.2.1:80\n\treal = 198.51.100.11:80 gate\n\tchecktype = connect\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if code := run([]string{"import", "ldirectord", file}, strings.NewReader(""), &out, &errOut); code != exitOK {
		t.Errorf("exit %d: %s", code, &errOut)
	}
	if !strings.Contains(out.String(), "service \"http\" {\n  address   = \"192.0.2.1:80\"\n") {
		t.Errorf("the cluster file:\n%s", &out)
	}
}

// TestATerminalActsOnNothingThatAnImportReports has the sequences in files that would clear a screen and name a window.
func TestATerminalActsOnNothingThatAnImportReports(t *testing.T) {
	const keepalived = "vrrp_instance web {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.1/24\n }\n smtp\033[2J_alert\n garp_master_delay %s\n}\nfoo\033]0;x\007bar\n"
	const ldirectord = "virtual = 192.0.2.1:80\n\treal = 198.51.100.11:80 gate\n\tfoo\033[2Jbar=1\n"
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for want, args := range map[string][]string{
		"smtp [2J_alert": {"keepalived", write("a", fmt.Sprintf(keepalived, "1")), write("b", fmt.Sprintf(keepalived, "2\033[2J"))},
		"foo [2jbar":     {"ldirectord", write("c", ldirectord)},
	} {
		var out, errOut bytes.Buffer
		code := run(append([]string{"import"}, args...), strings.NewReader(""), &out, &errOut)
		if code != exitChange || !strings.Contains(errOut.String(), want) || strings.ContainsAny(out.String()+errOut.String(), "\033\007") {
			t.Errorf("%v: exit %d, %q and %q", args, code, &out, &errOut)
		}
	}
}

func TestImportOfNothingIsNoClusterFile(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("\x7fELF\x02\x01\xff\n\xfe{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"keepalived", "ldirectord"} {
		for _, file := range []string{os.DevNull, junk} {
			var out, errOut bytes.Buffer
			code := run([]string{"import", program, file}, strings.NewReader(""), &out, &errOut)
			want := "quorate: " + file + ": nothing in it comes to a router or a service, so there is no cluster file\n"
			if code != exitError || out.Len() > 0 || !strings.HasSuffix(errOut.String(), want) {
				t.Errorf("%s %s: exit %d, %q and %q", program, file, code, &out, &errOut)
			}
		}
		var out, errOut bytes.Buffer
		code := run([]string{"import", program, junk, "-o", "json"}, strings.NewReader(""), &out, &errOut)
		var got struct {
			File  *string `json:"cluster_file"`
			Notes []any   `json:"notes"`
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != exitError || got.File == nil || *got.File != "" || len(got.Notes) == 0 {
			t.Errorf("%s: exit %d, %v, %s", program, code, err, &out)
		}
	}
}

func TestImportOfAllThatThereIsExitsWithZero(t *testing.T) {
	text, err := os.ReadFile("testdata/keepalived.conf")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("smtp_alert"), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if code := run([]string{"import", "keepalived", file}, strings.NewReader(""), &out, &errOut); code != exitOK {
		t.Errorf("exit %d: %s", code, &errOut)
	}
}
