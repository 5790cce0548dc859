package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/durable"
)

// Names in the agent's data directory. A cluster directory is built beside its place and renamed
// into it when it is whole, so that it is there whole or not at all.
const (
	liveDir = "cluster"
	initDir = "cluster.init"
	joinDir = "cluster.join"
	goneDir = "cluster.gone"

	lockFile = "cluster.lock"

	identityFile = "identity.json"
	fenceFile    = "fenced.json"
)

// Exists reports whether the agent with this data directory is in a cluster. What cannot be looked into, or is not whole, is no
// reason to begin as if there never had been one.
func Exists(dataDir string) bool {
	_, err := os.Lstat(filepath.Join(dataDir, liveDir))
	return !errors.Is(err, fs.ErrNotExist)
}

func readIdentity(dir string) (pki.Identity, error) {
	var id pki.Identity
	b, err := os.ReadFile(filepath.Join(dir, identityFile))
	if err == nil {
		err = json.Unmarshal(b, &id)
	}
	if err != nil {
		return id, logstore.Damaged(dir, "read whose data it is, "+identityFile, err, "")
	}
	return id, nil
}

// readCredentials returns how a member proves who it is, which must be as whom it is on record.
func readCredentials(dir string, id pki.Identity, alpn []string, onLearned func()) (*pki.Credentials, error) {
	creds, err := pki.Load(dir, alpn, onLearned)
	if err == nil {
		var is pki.Identity
		if is, err = pki.IdentityOf(creds.Leaf()); err == nil && is != id {
			err = fmt.Errorf("%s is of %+v, and %s of %+v", pki.CertFile, is, identityFile, id)
		}
	}
	if err != nil {
		return nil, logstore.Damaged(dir, "read who this director is", err, "")
	}
	return creds, nil
}

func writeIdentity(dir string, id pki.Identity) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, identityFile), append(b, '\n'), 0o600)
}

// makeDir makes the directory in which a cluster directory is built.
func makeDir(dataDir, name string) (string, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	dir := filepath.Join(dataDir, name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make directory: %w", err)
	}
	return dir, nil
}

// install puts the directory that was built into its place.
func install(dataDir, built string) error {
	if err := durable.SyncDir(filepath.Join(dataDir, built)); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dataDir, built), filepath.Join(dataDir, liveDir)); err != nil {
		return fmt.Errorf("install the cluster's data: %w", err)
	}
	return durable.SyncDir(dataDir)
}

// wipe removes the cluster directory. From its first step on there is none, whatever comes next.
func wipe(dataDir string) error {
	gone := filepath.Join(dataDir, goneDir)
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove old data: %w", err)
	}
	err := os.Rename(filepath.Join(dataDir, liveDir), gone)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the cluster's data: %w", err)
	}
	return errors.Join(durable.SyncDir(dataDir), os.RemoveAll(gone))
}

// lock is held by the one process that uses a data directory. The kernel lets go of it when the
// process ends, however it ends.
type lock struct{ f *os.File }

func takeLock(dataDir string) (*lock, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dataDir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) // who holds it is told if it can be told
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is in use by another quorate agent (pid %s): stop that one, or give this one a data_dir of its own", dataDir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()), 0))
	if err != nil && !errors.Is(err, unix.ENOSPC) { // the pid is for people; a full disk stops no start
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &lock{f}, nil
}

// release lets go at once: to close the file alone would wait for a program that is just being started, and has
// this process's files until it runs.
func (l *lock) release() error {
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}

func writeAt(f *os.File, text string, off int64) error {
	_, err := f.WriteAt([]byte(text), off)
	return err
}
