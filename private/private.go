// Package private keeps secrets on disk from everybody but their owner.
//
// It promises that what it has looked at belongs to root or to the user that this process runs as, and that nobody else
// can read or change it, or that it has said so: what others could read they may know, and who owns a file may have put
// anything into it. It closes what somebody has opened and does not refuse it: a wrong mode is to stop no start. It follows no link within
// a directory, and changes nothing that it was not told the name of.
package private

import (
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

// Dir closes to other users what is in a directory under names that match a pattern, with all below. The directory itself
// they may look into afterwards, but not write to. It refuses what belongs to another user. Of what is not there it says nothing.
func Dir(dir string, patterns ...string) (Open, error) {
	return dirOf(os.Geteuid(), dir, patterns)
}

func dirOf(self int, dir string, patterns []string) (open Open, err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return open, nil
	}
	if err == nil {
		err = owned(self, dir, info) // before it is looked into, which its owner may forbid
	}
	if err != nil {
		return open, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return open, err
	}
	defer root.Close()
	if info.Mode()&fs.ModeSticky == 0 { // else nobody can put another file in the place of one, as in /tmp
		closeIn(root, dir, ".", info, 0o022, &open)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		if err == nil && matches(e.Name(), patterns) {
			err = closeAll(self, root, dir, e.Name(), &open)
		}
	}
	return open, err
}

func matches(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return false
}

// closeAll closes an entry of a directory, and all below it.
func closeAll(self int, root *os.Root, dir, name string, open *Open) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was replaced meanwhile
	}
	if err == nil {
		err = owned(self, filepath.Join(dir, name), info)
	}
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	closeIn(root, dir, name, info, 0o077, open)
	if !info.IsDir() {
		return nil
	}
	entries, err := fs.ReadDir(root.FS(), name)
	for _, e := range entries {
		if err == nil {
			err = closeAll(self, root, dir, filepath.Join(name, e.Name()), open)
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // a folder, too
		return nil
	}
	return err
}

func closeIn(root *os.Root, dir, name string, info fs.FileInfo, mask fs.FileMode, open *Open) {
	if info.Mode()&mask != 0 {
		open.add(filepath.Join(dir, name), info.Mode(), root.Chmod(name, info.Mode()&^mask))
	}
}

// owned refuses what belongs to another user than root and this process's.
func owned(self int, path string, info fs.FileInfo) error {
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if uid == 0 || uid == self {
		return nil
	}
	return fmt.Errorf("%s belongs to user %s, who may have put anything there: if what is in it is right, `chown -hR %s %s` gives it back", path, name(uid), name(self), path)
}

// name is what a user is called, or the number of one that this host does not know.
func name(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// File closes one file that a person named, to other users. What root lets a group read is so by intent. A link is not
// followed, nor does it matter whose file it is: the person named it. Of what cannot be opened it says nothing.
func File(path string) (open Open) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // a pipe has no mode that counts
		return open
	}
	mask := fs.FileMode(0o077)
	if info.Sys().(*syscall.Stat_t).Uid == 0 {
		mask = 0o037
	}
	if info.Mode()&mask != 0 {
		open.add(path, info.Mode(), closeFile(path, info, mask))
	}
	return open
}

// errLink means that a name leads elsewhere.
var errLink = errors.New("it is a link: close what it leads to")

func closeFile(path string, info fs.FileInfo, mask fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ELOOP) {
		return errLink
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Chmod(info.Mode() &^ mask)
}
