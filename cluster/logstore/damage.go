package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// A log that is cut off or altered must not lead to less in silence, or to something else. The file that it is in has
// checksums of its first two pages only, so there are three more things: its structure is looked through before it is
// used, each entry has a checksum of its own, and the record of what was applied says how far it must lead. Term and vote, which
// are in the same file, have checksums too: a member that forgets one could vote twice in a term, and two would lead.

// sealed is how an entry's checksum begins, in the field that Raft leaves to who stores it. An entry without one is of
// a version that had none.
var sealed = []byte("q1")

// errDamaged means that an entry, or what is kept beside the log, is not as it was written.
var errDamaged = errors.New("what is stored does not match its checksum")

// newSum begins a checksum of what this package seals.
func newSum() hash.Hash32 {
	return crc32.New(crc32.MakeTable(crc32.Castagnoli)) // one table, which MakeTable keeps after the first call
}

func seal(l *raft.Log) []byte {
	sum := newSum()
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	_, _ = sum.Write(head[:]) // never fails
	_, _ = sum.Write(l.Data)
	return sum.Sum(slices.Clone(sealed))
}

// sealing is a disk whose log entries have checksums.
type sealing struct{ Disk }

// StoreLog implements [raft.LogStore].
func (s sealing) StoreLog(e *raft.Log) error { return s.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements [raft.LogStore]. Raft keeps its own entries as they are.
func (s sealing) StoreLogs(es []*raft.Log) error {
	out := make([]*raft.Log, len(es))
	for i, e := range es {
		l := *e
		l.Extensions = seal(e)
		out[i] = &l
	}
	return s.Disk.StoreLogs(out)
}

// GetLog implements [raft.LogStore].
func (s sealing) GetLog(index uint64, out *raft.Log) error {
	if err := s.Disk.GetLog(index, out); err != nil {
		return err
	}
	return unseal(out)
}

// ReadAll returns why an entry behind those that were read, or that a snapshot stands for, cannot be read: Raft ends the
// process for that. Before the snapshot there may be a gap, if it came from the leader; right behind it there must be none.
func (s *Store) ReadAll(read uint64) error {
	last, err := s.Bare.LastIndex()
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	first := max(1, min(read+1, last)) // the last one it reads in any case
	for index := first; index <= last; index++ {
		if err := s.Bare.GetLog(index, new(raft.Log)); err != nil {
			return damaged(s.dir, fmt.Sprintf("read log entry %d of %d to %d", index, first, last), err)
		}
	}
	return nil
}

// unseal checks an entry that was read, and gives it back as it was before it was stored.
func unseal(l *raft.Log) error {
	if len(l.Extensions) == 0 {
		return nil
	}
	if !slices.Equal(l.Extensions, seal(l)) {
		return errDamaged
	}
	l.Extensions = nil
	return nil
}

// lookThrough returns what is wrong with the structure of a log's file, or with what is in it. One that is empty is as good as none: whoever made
// it was killed before anything was stored. That too little is there for what was applied is found later.
func lookThrough(path string, content func(*bbolt.Tx) error) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file that is shorter than it says
	defer func() {
		if p := recover(); p != nil { // memory that a file stands behind has no word for why it cannot be read
			if err = readThrough(f); err == nil {
				err = fmt.Errorf("%v", p)
			}
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		seen := pages{file: f, size: int64(db.Info().PageSize), end: uint64(tx.Size()) / uint64(db.Info().PageSize), seen: map[uint64]bool{}}
		if info, err := f.Stat(); err != nil || info.Size() < tx.Size() {
			return fmt.Errorf("the file is cut off: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if err := seen.walk(uint64(tx.Cursor().Bucket().Root())); err != nil {
			return err
		}
		err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if root := uint64(b.Root()); root != 0 { // else it is within its parent's page
				if err := seen.walk(root); err != nil {
					return err
				}
			}
			var last []byte
			return b.ForEach(func(k, v []byte) error {
				if v == nil {
					return fmt.Errorf("key %x of %q has no value", k, name)
				}
				if last != nil && bytes.Compare(k, last) <= 0 {
					return fmt.Errorf("key %x of %q is not behind %x", k, name, last)
				}
				if last = k; b.Get(k) == nil { // who searches goes by the keys in branches, which nothing else has read
					return fmt.Errorf("key %x of %q is not found", k, name)
				}
				_ = crc32.ChecksumIEEE(v) // reads all of it
				return nil
			})
		})
		if err != nil {
			return err
		}
		return content(tx)
	})
}

// pages are those of a log's file that have been looked at. A page has its number, what it is, how many elements it has,
// and how many pages follow that belong to it, 16 bytes in all; then 16 bytes for each element, of which a branch's last
// eight are the page that it leads to. The store believes these numbers, and one that is wrong can cost it all memory.
type pages struct {
	file *os.File
	size int64  // of a page, in bytes
	end  uint64 // the number of the first that is none
	seen map[uint64]bool
}

const (
	pageHead   = 16
	branchPage = 1
	leafPage   = 2

	bucketElement = 1 // what a leaf's element begins with whose value is a bucket
	bucketHead    = 16
)

// walk looks at a page and at all that it leads to.
func (p *pages) walk(root uint64) error {
	size := p.size
	for todo := []uint64{root}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		head := make([]byte, size)
		if id >= p.end || p.seen[id] {
			return fmt.Errorf("page %d of %d is not where it can be", id, p.end)
		}
		if _, err := p.file.ReadAt(head, int64(id)*size); err != nil {
			return fmt.Errorf("page %d of %d: %w", id, p.end, err)
		}
		kind, count := binary.NativeEndian.Uint16(head[8:]), int64(binary.NativeEndian.Uint16(head[10:]))
		more := uint64(binary.NativeEndian.Uint32(head[12:]))
		if binary.NativeEndian.Uint64(head) != id || kind != branchPage && kind != leafPage || id+more >= p.end {
			return fmt.Errorf("page %d of %d is none: it begins with %x", id, p.end, head[:pageHead])
		}
		for n := id; n <= id+more; n++ {
			if p.seen[n] {
				return fmt.Errorf("page %d of %d is there twice", n, p.end)
			}
			p.seen[n] = true
		}
		if all := pageHead * (count + 1); all > size { // with many elements they go on in the pages that follow
			head = make([]byte, all)
			if _, err := p.file.ReadAt(head, int64(id)*size); err != nil {
				return fmt.Errorf("page %d of %d: %w", id, p.end, err)
			}
		}
		space := (more + 1) * uint64(size)
		for i := range count {
			at := pageHead * (i + 1)
			element := head[at : at+pageHead]
			if !within(element, kind, uint64(at), space) {
				return fmt.Errorf("element %d of page %d of %d leads out of it", i, id, p.end)
			}
			switch {
			case kind == branchPage:
				todo = append(todo, binary.NativeEndian.Uint64(element[8:]))
			case element[0]&bucketElement != 0:
				if err := p.bucket(element, int64(id)*size+at); err != nil {
					return fmt.Errorf("element %d of page %d of %d: %w", i, id, p.end, err)
				}
			}
		}
	}
	return nil
}

// bucket looks at the value of a leaf's element, at a place of the file, which is a bucket: 16 bytes that begin with its page.
// A small bucket has 0 there, and behind the 16 bytes a leaf as short as it is. The store copies such a value into memory of
// the runtime's and makes pointers of what the leaf says; for one that leads to where nothing is, the runtime ends the process.
func (p *pages) bucket(element []byte, at int64) error {
	where := at + int64(binary.NativeEndian.Uint32(element[4:])) + int64(binary.NativeEndian.Uint32(element[8:]))
	length := int64(binary.NativeEndian.Uint32(element[12:]))
	if length < bucketHead || length > p.size {
		return fmt.Errorf("%d bytes are no bucket", length)
	}
	value := make([]byte, length)
	if _, err := p.file.ReadAt(value, where); err != nil {
		return err
	}
	leaf := value[bucketHead:]
	if binary.NativeEndian.Uint64(value) != 0 {
		return nil // it has a page of its own
	}
	if len(leaf) < pageHead || binary.NativeEndian.Uint16(leaf[8:]) != leafPage {
		return fmt.Errorf("the bucket has no leaf: %x", value)
	}
	count := int(binary.NativeEndian.Uint16(leaf[10:]))
	if pageHead*(count+1) > len(leaf) {
		return fmt.Errorf("%d elements are not in the %d bytes of the bucket's leaf", count, len(leaf))
	}
	for i := range count {
		at := pageHead * (i + 1)
		if !within(leaf[at:at+pageHead], leafPage, uint64(at), uint64(len(leaf))) {
			return fmt.Errorf("element %d of the bucket's leaf leads out of it", i)
		}
	}
	return nil
}

// within reports whether what an element at a place of a page points to is in the page's space. A branch's element begins
// with where its key is, counted from the element, and how long that is; a leaf's with its kind, where its key is, and how long
// that and the value behind it are. No key is empty: one at the end of the space would be behind it.
func within(element []byte, kind uint16, at, space uint64) bool {
	if kind == leafPage {
		element = element[4:]
	}
	key := uint64(binary.NativeEndian.Uint32(element[4:]))
	end := at + uint64(binary.NativeEndian.Uint32(element)) + key
	if kind == leafPage {
		end += uint64(binary.NativeEndian.Uint32(element[8:]))
	}
	return key > 0 && end <= space
}

// refused reports whether it was the system that gave no data: they may be whole, and to remove them would be no mend. A
// file that is gone, or shorter than it must be, is another thing.
func refused(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist)
}

// readThrough reads all of a file.
func readThrough(f *os.File) error {
	_, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, math.MaxInt64))
	return err
}

// damaged says that what a director has in its log and snapshots is not what was written.
func damaged(dir, what string, err error) error {
	return Damaged(dir, what, err, ", and it would know less than it has confirmed")
}

// Damaged says that the data of a director in a directory are not what was written, what that would lead to, and what mends it;
// or no more than that they could not be read, if the system refused them.
func Damaged(dir, what string, err error, leads string) error {
	if refused(err) {
		return fmt.Errorf("%s in %s: %w", what, dir, err)
	}
	return fmt.Errorf("%s: %w; this director's data in %s is damaged%s: "+
		"run `quorate remove NAME` with its name on another director, remove that directory, and let it join again with `quorate join`; "+
		"if no other is left, `quorate snapshot save FILE --from %s` keeps what can be read, before the directory is removed; "+
		"then `quorate init`, and `quorate snapshot restore FILE --force`", what, err, dir, leads, filepath.Dir(dir))
}

// Damaged says that what was found in the store is not what was written, with what mends that.
func (s *Store) Damaged(what string, err error) error {
	if s.rest {
		return fmt.Errorf("%s: %w", what, err)
	}
	return damaged(s.dir, what, err)
}
