// Package private keeps secrets on disk from everybody but their owner.
//
// It promises that what it has looked at belongs to root or to the user that this process runs as, and that nobody else
// can read or change it, or that it has said so: what others could read they may know, and who owns a file may have put
// anything into it. In a directory of quorate's own it closes what somebody has opened and does not refuse it: a wrong mode is to stop
// no start. It follows no link within a directory, and changes nothing that it was not told the name of.
package private

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Open is what others could get at.
type Open struct {
	Path  string      // the first of it
	Mode  fs.FileMode // that it had
	More  int         // how much else
	Still error       // why the first that could not be closed is still open, if one is
}

// String says what was open, and whether it still is; "" of nothing.
func (o Open) String() string {
	if o.Path == "" {
		return ""
	}
	text := fmt.Sprintf("%s (mode %04o)", o.Path, o.Mode.Perm())
	if o.More > 0 {
		text += fmt.Sprintf(" and %d more", o.More)
	}
	if o.Still != nil {
		return fmt.Sprintf("%s: open to other users, and cannot be closed: %v", text, o.Still)
	}
	return text + ": was open to other users, and is closed now"
}

func (o *Open) add(path string, mode fs.FileMode, failed error) {
	if o.Path == "" {
		o.Path, o.Mode = path, mode
	} else {
		o.More++
	}
	if o.Still == nil {
		o.Still = failed
	}
}

// ErrForeign means that something belongs to another user, who may have put anything into it.
var ErrForeign = errors.New("it belongs to another user")

// Dir closes to other users what is in a directory under names that match a pattern, with all below. The directory itself
// they may look into afterwards, but not write to. What belongs to another user is [ErrForeign]; another error tells what could not
// be looked at, and all else was. Of what is not there it says nothing.
func Dir(dir string, patterns ...string) (Open, error) {
	w := &walk{self: os.Geteuid(), dir: dir, list: fs.ReadDir}
	return w.run(patterns)
}

// walk is one look at a directory.
type walk struct {
	self int // the user that this process runs as
	dir  string
	root *os.Root
	list func(fs.FS, string) ([]fs.DirEntry, error)

	open    Open
	foreign error // the first that is another user's
	failed  error // the first that could not be looked at
}

func (w *walk) run(patterns []string) (Open, error) {
	info, err := os.Stat(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return w.open, nil
	}
	if err == nil {
		err = owned(w.self, w.dir, info) // before it is looked into, which its owner may forbid
	}
	if err == nil {
		w.root, err = os.OpenRoot(w.dir)
	}
	if err != nil {
		return w.open, err
	}
	defer w.root.Close()
	if info.Mode()&fs.ModeSticky == 0 { // else nobody can put another file in the place of one, as in /tmp
		w.close(".", info, 0o022)
	}
	w.each(".", func(name string) bool { return matches(name, patterns) })
	return w.open, cmp.Or(w.foreign, w.failed)
}

func matches(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return false
}

// each closes the entries of a folder whose names are meant.
func (w *walk) each(folder string, meant func(name string) bool) {
	entries, err := w.list(w.root.FS(), folder)
	w.note(folder, err)
	for _, e := range entries {
		if meant(e.Name()) {
			w.all(filepath.Join(folder, e.Name()))
		}
	}
}

// all closes an entry of the directory, and all below it.
func (w *walk) all(name string) {
	info, err := w.root.Lstat(name)
	if err == nil {
		err = owned(w.self, filepath.Join(w.dir, name), info)
	}
	if w.note(name, err); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return
	}
	w.close(name, info, 0o077)
	if info.IsDir() {
		w.each(name, func(string) bool { return true })
	}
}

// note keeps what is wrong with an entry. One that is not there any more was replaced meanwhile.
func (w *walk) note(name string, err error) {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ErrForeign):
		w.foreign = cmp.Or(w.foreign, err)
	case w.failed == nil:
		w.failed = fmt.Errorf("look at %s: %w", filepath.Join(w.dir, name), err)
	}
}

func (w *walk) close(name string, info fs.FileInfo, mask fs.FileMode) {
	if info.Mode()&mask != 0 {
		w.open.add(filepath.Join(w.dir, name), info.Mode(), w.root.Chmod(name, info.Mode()&^mask))
	}
}

// foreignError is [ErrForeign] with what and whose.
type foreignError string

func (e foreignError) Error() string { return string(e) }

func (e foreignError) Unwrap() error { return ErrForeign }

// owned is [ErrForeign] of what belongs to another user than root and this process's.
func owned(self int, path string, info fs.FileInfo) error {
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if uid == 0 || uid == self {
		return nil
	}
	return foreignError(fmt.Sprintf("%s belongs to user %s, who may have put anything there: if what is in it is right, `chown -hR %s %s` gives it back", path, name(uid), name(self), path))
}

// name is what a user is called, or the number of one that this host does not know.
func name(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// File says of one file that a person named whether other users can get at it; "" if they cannot. It changes nothing: who has set it
// up so may have had reasons. What root lets a group read is so by intent. Of what cannot be looked at it says nothing.
func File(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // a pipe has no mode that counts
		return ""
	}
	mask := fs.FileMode(0o077)
	if info.Sys().(*syscall.Stat_t).Uid == 0 {
		mask = 0o037
	}
	if info.Mode()&mask == 0 {
		return ""
	}
	return fmt.Sprintf("%s (mode %04o) is open to other users", path, info.Mode().Perm())
}
