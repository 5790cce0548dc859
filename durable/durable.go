// Package durable writes files that outlive a power cut.
//
// It promises that after [Write], at whatever instant the host stops, the file is the old one or the
// new one, and the new one once Write has returned without an error. It never makes folders.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Write writes a file whole or not at all, with this mode whatever the umask says. A file has one writer
// at a time: what is written first is path + ".new", so that whoever was killed while it wrote leaves
// nothing that the next Write would not take away.
func Write(path string, b []byte, mode os.FileMode) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	err = f.Chmod(mode)
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes durable what was made, renamed or removed in a folder.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
