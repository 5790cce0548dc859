package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// A log that is cut off or altered must not lead to less in silence, or to something else. The file that it is in has
// checksums of its first two pages only, so there are three more things: its structure is looked through before it is
// used, each entry has a checksum of its own, and the record of what was applied says how far it must lead.

// sealed is how an entry's checksum begins, in the field that Raft leaves to who stores it. An entry without one is of
// a version that had none.
var sealed = []byte("q1")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged means that an entry is not as it was written.
var errDamaged = errors.New("the entry does not match its checksum")

func seal(l *raft.Log) []byte {
	sum := crc32.New(castagnoli)
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	_, _ = sum.Write(head[:]) // never fails
	_, _ = sum.Write(l.Data)
	return sum.Sum(slices.Clone(sealed))
}

// withSeals returns entries as they are stored. Raft keeps its own.
func withSeals(es []*raft.Log) []*raft.Log {
	out := make([]*raft.Log, len(es))
	for i, e := range es {
		l := *e
		l.Extensions = seal(e)
		out[i] = &l
	}
	return out
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

// lookThrough returns what is wrong with the structure of a log's file.
func lookThrough(path string) (err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file that is shorter than it says
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var last []byte
			return b.ForEach(func(k, v []byte) error {
				if last != nil && bytes.Compare(k, last) <= 0 {
					return fmt.Errorf("key %x of %q is not behind %x", k, name, last)
				}
				last = k
				_ = crc32.ChecksumIEEE(v) // reads all of it
				return nil
			})
		})
	})
}

// damaged says that the data of a director are not what was written, and what mends that.
func damaged(dir, what string, err error) error {
	return fmt.Errorf("%s: %w; this director's data in %s is damaged, and it would know less than it has confirmed: "+
		"run `quorate remove NAME` with its name on another director, remove that directory, and let it join again with `quorate join`; "+
		"if it is the only one, `quorate init` and then `quorate snapshot restore FILE`", what, err, dir)
}
