package program

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const maxLinks = 40 // symbolic links in one path, as in the kernel

// Check says why the user cannot run the program at name on this host, naming the component of its path,
// or the interpreter in its first line, that is at fault; nil if it can be run. For an agent that is
// root it also refuses a program that others could change.
func Check(name string, u User) error {
	final, err := checkPath(name, u)
	if err != nil {
		return err
	}
	if interpreter := shebang(final); interpreter != "" {
		if _, err := checkPath(interpreter, u); err != nil {
			return fmt.Errorf("interpreter %s: %w", interpreter, err)
		}
	}
	return nil
}

// checkPath walks name from the root as the kernel would, and returns the file it ends at.
func checkPath(name string, u User) (string, error) {
	if !path.IsAbs(name) {
		return "", errors.New("path is not absolute")
	}
	rest, at, links := splitPath(name), "/", 0
	if err := checkDirectory(at, u); err != nil {
		return "", err
	}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		fi, err := os.Lstat(next)
		if err != nil {
			return "", fmt.Errorf("%s: %w", next, unwrapPath(err))
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(next)
			if links++; err != nil || links > maxLinks {
				return "", fmt.Errorf("%s: a symbolic link that leads nowhere", next)
			}
			if path.IsAbs(target) {
				at = "/"
			}
			rest = append(splitPath(target), rest...)
			continue
		}
		if at = next; len(rest) == 0 {
			break
		}
		if err := checkDirectory(at, u); err != nil {
			return "", err
		}
	}
	return at, checkProgram(at, u)
}

func splitPath(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func checkDirectory(dir string, u User) error {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return fmt.Errorf("%s: not a directory", dir)
	}
	if !u.may(&st, 1) {
		return fmt.Errorf("%s: %s may not enter this directory (mode %04o)", dir, u.Name, st.Mode&0o7777)
	}
	if st.Mode&syscall.S_ISVTX != 0 { // who may write here can still not replace what is another's
		st.Mode &^= 0o022
	}
	return unchangeable(dir, &st)
}

func checkProgram(file string, u User) error {
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fmt.Errorf("%s: not a regular file", file)
	}
	if st.Mode&0o111 == 0 {
		return fmt.Errorf("%s: not executable (mode %04o)", file, st.Mode&0o7777)
	}
	if !u.may(&st, 1) {
		return fmt.Errorf("%s: %s may not execute it (mode %04o)", file, u.Name, st.Mode&0o7777)
	}
	if err := unix.Access(file, unix.X_OK); err != nil { // a mount with noexec
		return fmt.Errorf("%s: not executable: %w", file, err)
	}
	return unchangeable(file, &st)
}

// unchangeable refuses, for an agent that is root, what somebody who is not root could change.
func unchangeable(name string, st *syscall.Stat_t) error {
	if os.Geteuid() != 0 {
		return nil
	}
	switch {
	case st.Uid != 0:
		return fmt.Errorf("%s: belongs to user %d, not to root", name, st.Uid)
	case st.Mode&0o002 != 0:
		return fmt.Errorf("%s: writable by others (mode %04o)", name, st.Mode&0o7777)
	case st.Mode&0o020 != 0 && st.Gid != 0:
		return fmt.Errorf("%s: writable by group %d (mode %04o)", name, st.Gid, st.Mode&0o7777)
	}
	return nil
}

// shebang returns the interpreter that a script's first line names, or "".
func shebang(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "" // not readable by us: the kernel will say
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	line, ok := strings.CutPrefix(line, "#!")
	if fields := strings.Fields(line); ok && len(fields) > 0 {
		return fields[0]
	}
	return ""
}
