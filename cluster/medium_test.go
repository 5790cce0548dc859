package cluster

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"syscall"
)

// medium is what a disk holds at least after a power cut: of a file what it had at its last sync, of a directory the
// names that it had at its own. No file system keeps less, and most keep more.
type medium struct {
	root  uint64
	files map[uint64][]byte            // by inode
	dirs  map[uint64]map[string]uint64 // by inode: names, and the inodes that they lead to
	held  []*os.File                   // so that no inode is used again
}

// newMedium begins with all that is in a directory.
func newMedium(dir string) *medium {
	m := &medium{files: map[uint64][]byte{}, dirs: map[uint64]map[string]uint64{}}
	m.root = m.all(dir)
	return m
}

// all syncs a file, or a directory and what is in it, and returns its inode.
func (m *medium) all(path string) uint64 {
	m.sync(path)
	info := must(os.Stat(path))
	if info.IsDir() {
		for _, e := range must(os.ReadDir(path)) {
			m.all(filepath.Join(path, e.Name()))
		}
	}
	return inode(info)
}

// sync does what a sync of a file or directory promises. It is called before the sync is made; who made it waits.
func (m *medium) sync(path string) {
	f := must(os.Open(path))
	m.held = append(m.held, f)
	info := must(f.Stat())
	if !info.IsDir() {
		m.files[inode(info)] = must(io.ReadAll(f))
		return
	}
	names := map[string]uint64{}
	for _, e := range must(f.ReadDir(-1)) {
		held, err := os.Open(filepath.Join(path, e.Name()))
		if err != nil {
			continue // removed this moment
		}
		m.held = append(m.held, held)
		child := must(held.Stat())
		names[e.Name()] = inode(child)
		m.know(child)
	}
	m.dirs[inode(info)] = names
}

// know makes an inode that was not synced yet an empty file or directory.
func (m *medium) know(info os.FileInfo) {
	n := inode(info)
	if _, file := m.files[n]; !file && !info.IsDir() {
		m.files[n] = nil
	}
	if _, dir := m.dirs[n]; !dir && info.IsDir() {
		m.dirs[n] = map[string]uint64{}
	}
}

// write writes what the disk holds into a directory.
func (m *medium) write(dir string) { m.writeDir(m.root, dir) }

func (m *medium) writeDir(n uint64, path string) {
	check(os.MkdirAll(path, 0o700))
	for name, child := range maps.All(m.dirs[n]) {
		at := filepath.Join(path, name)
		if _, dir := m.dirs[child]; dir {
			m.writeDir(child, at)
		} else {
			check(os.WriteFile(at, m.files[child], 0o600))
		}
	}
}

func (m *medium) close() {
	for _, f := range m.held {
		_ = f.Close()
	}
}

func inode(info os.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
