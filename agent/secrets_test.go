package agent

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/private"
)

// An agent of a directory that cannot be looked at finds out by itself what it cannot do, and a keeper whether it can read its record.
func TestADataDirectoryThatCannotBeLookedAtIsReported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(dir, dir); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &said})
	if err := CloseData(dir, log); err != nil || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), syscall.ELOOP.Error()) {
		t.Errorf("%v, and it says %q", err, said.String())
	}
	said.Reset()
	if err := CloseRecord(filepath.Join(dir, "keeper.json"), log); err != nil || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), syscall.ELOOP.Error()) {
		t.Errorf("the record: %v, and it says %q", err, said.String())
	}
}

// A keeper has a past of its own, whosever the keys beside it are.
func TestARecordIsTrustedBesideAnothersFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := t.TempDir()
	record, key := filepath.Join(dir, "keeper.json"), filepath.Join(dir, "cluster")
	for _, path := range []string{record, key} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	give := func(path string) {
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	log := hclog.NewNullLogger()
	give(key)
	if err := CloseRecord(record, log); err != nil {
		t.Errorf("beside another's: %v", err)
	}
	if err := CloseData(dir, log); !errors.Is(err, private.ErrForeign) {
		t.Errorf("the agent takes another's keys: %v", err)
	}
	give(record)
	if err := CloseRecord(record, log); !errors.Is(err, private.ErrForeign) {
		t.Errorf("of another: %v", err)
	}
}
