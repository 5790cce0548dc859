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
