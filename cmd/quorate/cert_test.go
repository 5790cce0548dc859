package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
)

func TestACertificateIsWrittenWithItsKeyForItsHolderAlone(t *testing.T) {
	socket, file := serve(t, &whole{}), filepath.Join(t.TempDir(), "ann.pem")
	var out, errOut bytes.Buffer
	if code := run([]string{"cert", "create", "ann", "--socket", socket, "--out", file, "--lifetime", "2d"}, strings.NewReader(""), &out, &errOut); code != 0 || out.Len() > 0 {
		t.Fatalf("exit %d, %s%s", code, &out, &errOut)
	}
	if want := "certificate 3c of ann (viewer) is good until 2026-11-03 12:00:00; `quorate cert revoke 3c` takes it back\n"; errOut.String() != want {
		t.Errorf("it says %q", &errOut)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || string(rest) != "a certificate of ann\nthe CA\n" {
		t.Errorf("the file holds %v and %q", block, rest)
	}

	out.Reset()
	if code := run([]string{"cert", "create", "ann", "--socket", socket, "-o", "json"}, strings.NewReader(""), &out, &errOut); code != 0 {
		t.Fatalf("exit %d, %s", code, &errOut)
	}
	var made struct{ ID, Bundle string }
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || made.ID != "3c" || !strings.HasPrefix(made.Bundle, "-----BEGIN PRIVATE KEY") {
		t.Errorf("in JSON: %+v, %v", made, err)
	}
}

func TestACertificateTakesTheFileOfAnotherOnlyByForce(t *testing.T) {
	socket, file := serve(t, &whole{}), filepath.Join(t.TempDir(), "ann.pem")
	if err := os.WriteFile(file, []byte("a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	args := []string{"cert", "create", "ann", "--socket", socket, "--out", file}
	code := run(args, strings.NewReader(""), &out, &errOut)
	if text, err := os.ReadFile(file); code != 1 || err != nil || string(text) != "a key" {
		t.Errorf("exit %d, %s: the file holds %q, %v", code, &errOut, text, err)
	}
	code = run(append(args, "--force"), strings.NewReader(""), &out, &errOut)
	if text, err := os.ReadFile(file); code != 0 || err != nil || !bytes.HasPrefix(text, []byte("-----BEGIN PRIVATE KEY")) {
		t.Errorf("by force: exit %d, %s: the file holds %q, %v", code, &errOut, text, err)
	}
}

func TestALifetimeMayBeWrittenInDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "0d": 0, "90m": 90 * time.Minute, "365d": 8760 * time.Hour} {
		var d days
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s is %v, %v", text, time.Duration(d), err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "99999d", "soon"} {
		if err := new(days).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// between is an agent that has something done while it makes a certificate.
type between struct {
	whole

	do  func()
	err error
}

func (b *between) CreateCertificate(ctx context.Context, r api.CertificateRequest) (api.Certificate, error) {
	b.do()
	if b.err != nil {
		return api.Certificate{}, b.err
	}
	return b.whole.CreateCertificate(ctx, r)
}

func TestOfTwoThatMakeOneFileAtOnceOneHasIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ann.pem")
	create := func(socket string) (int, string) {
		var out, errOut bytes.Buffer
		return run([]string{"cert", "create", "ann", "--socket", socket, "--out", file}, strings.NewReader(""), &out, &errOut), errOut.String()
	}
	asked := false
	b := &between{do: func() {
		asked = true
		if code, text := create(serve(t, &whole{})); code != 1 || !strings.Contains(text, "file exists") {
			t.Errorf("the second: exit %d, %s", code, text)
		}
	}}
	if code, text := create(serve(t, b)); code != 0 || !asked {
		t.Errorf("the first: exit %d, %s", code, text)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(text, []byte("-----BEGIN PRIVATE KEY")) {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestNoFileIsLeftWhereThereIsNoCertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ann.pem")
	var out, errOut bytes.Buffer
	socket := serve(t, &between{do: func() {}, err: errors.New("no leader")})
	code := run([]string{"cert", "create", "ann", "--socket", socket, "--out", file}, strings.NewReader(""), &out, &errOut)
	if _, err := os.Lstat(file); code != 1 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("exit %d, %s: the file is there: %v", code, &errOut, err)
	}
}

func TestOfACertificateThatIsNotKeptItIsSaidHowItIsTakenBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nothing here", "ann.pem")
	_, errOut, code := quorate(t, &whole{}, nil, "cert", "create", "ann", "--out", file, "--force")
	if code != 1 || !strings.Contains(errOut, "`quorate cert revoke 3c` takes it back") {
		t.Errorf("exit %d, %q", code, errOut)
	}
}
