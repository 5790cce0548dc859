package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// small is a log's file with few entries, and where the buckets are in it that have no page of their own.
func small(t *testing.T) (path string, text []byte, buckets [][2]int) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		if err := s.Bare.SetUint64([]byte(key), 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bare.Set([]byte("LastVoteCand"), []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Bare.StoreLogs([]*raft.Log{{Index: 1, Term: 7, Data: []byte("one")}, {Index: 2, Term: 7, Data: []byte("two")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, LogFile)
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	page := rootOf(t, path)
	for i := range int(binary.NativeEndian.Uint16(text[page+10:])) {
		at := page + pageHead*(i+1)
		number := func(n int) int { return int(binary.NativeEndian.Uint32(text[at+4*n:])) }
		value := at + number(1) + number(2)
		if number(0)&bucketElement != 0 && binary.NativeEndian.Uint64(text[value:]) == 0 {
			buckets = append(buckets, [2]int{value, value + number(3)})
		}
	}
	return path, text, buckets
}

// rootOf is where the page is in a log's file that has its buckets.
func rootOf(t *testing.T, path string) (at int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		at = int(tx.Cursor().Bucket().Root()) * db.Info().PageSize
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestABucketWithoutAPageLeadsNowhereElse flips each bit of the buckets that are within their parent's page: what leads out
// of one is refused before the store makes a pointer of it, for which the runtime would end the process.
func TestABucketWithoutAPageLeadsNowhereElse(t *testing.T) {
	path, whole, buckets := small(t)
	if err := lookThrough(path); err != nil || len(buckets) == 0 {
		t.Fatalf("%d buckets without a page; the whole file: %v", len(buckets), err)
	}
	out := 0
	for _, bucket := range buckets {
		leaf := bucket[0] + bucketHead
		count := int(binary.NativeEndian.Uint16(whole[leaf+10:]))
		for bit := 8 * bucket[0]; bit < 8*bucket[1]; bit++ {
			at := bit / 8
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << (bit % 8)
			if err := os.WriteFile(path, flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			err := lookThrough(path)
			// where keys are and how long, 64 KiB on and more, and how many: no bucket within a page has that much
			element := at >= leaf+pageHead && at < leaf+pageHead*(count+1)
			field, byteOf := (at-leaf)%pageHead/4, (at-leaf)%4
			if far := element && field > 0 && byteOf >= 2 || at == leaf+11; far {
				out++
				if err == nil {
					t.Fatalf("the bit %d of byte %d of the bucket at %d leads out of it, and is not refused", bit%8, at-bucket[0], bucket[0])
				}
			}
			if bit%8 == 0 {
				runtime.GC() // and finds no pointer that leads nowhere
			}
		}
	}
	if out == 0 {
		t.Error("nothing led out of a bucket")
	}
}
