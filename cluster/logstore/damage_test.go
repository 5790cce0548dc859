package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
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
	for _, key := range []string{termKey, voteTermKey} {
		if err := s.Bare.SetUint64([]byte(key), 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bare.Set([]byte(voteKey), []byte("a")); err != nil {
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
	t.Parallel()
	path, whole, buckets := small(t)
	if err := lookThrough(path, checkVotes); err != nil || len(buckets) == 0 {
		t.Fatalf("%d buckets without a page; the whole file: %v", len(buckets), err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	put := func(b byte, at int) {
		if _, err := file.WriteAt([]byte{b}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	out := 0
	for _, bucket := range buckets {
		leaf := bucket[0] + bucketHead
		count := int(binary.NativeEndian.Uint16(whole[leaf+10:]))
		for bit := 8 * bucket[0]; bit < 8*bucket[1]; bit++ {
			at := bit / 8
			put(whole[at]^1<<(bit%8), at)
			err := lookThrough(path, checkVotes)
			put(whole[at], at)
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

// TestATermOrVoteThatFlipsIsRefused flips bits of what Raft keeps beside the log: who forgets a vote could give another one.
func TestATermOrVoteThatFlipsIsRefused(t *testing.T) {
	t.Parallel()
	path, whole, _ := small(t)
	refused := 0
	try := func(what string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(filepath.Dir(path), hclog.NewNullLogger())
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "is damaged") {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		defer s.Close()
		term, errTerm := s.Bare.GetUint64([]byte(termKey))
		voted, errVoted := s.Bare.GetUint64([]byte(voteTermKey))
		who, errWho := s.Bare.Get([]byte(voteKey))
		// whoever reads a vote for nobody that there is gives no other one in that term
		if err := errors.Join(errTerm, errVoted, errWho); err != nil || term != 7 || voted != 7 || len(who) == 0 || string(who) != "a" && len(who) == 1 {
			t.Errorf("%s: term %d, voted in %d for %q: %v", what, term, voted, who, err)
		}
	}
	for _, key := range []string{termKey, voteTermKey, voteKey} {
		for at := 0; ; at++ {
			next := bytes.Index(whole[at:], []byte(key))
			if next < 0 {
				break
			}
			at += next
			for i := range len(key) + numberSize {
				flipped := bytes.Clone(whole)
				flipped[at+i] ^= 1 << ((at + i) % 8)
				try(fmt.Sprintf("byte %d of %s at %d", i, key, at), flipped)
			}
		}
	}
	if refused < 3*numberSize {
		t.Errorf("%d were refused", refused)
	}
	try("nothing", whole)
}

// TestWhatALaterVersionKeepsBesideTheLogIsNoDamage: else that could not be replaced by this one again.
func TestWhatALaterVersionKeepsBesideTheLogIsNoDamage(t *testing.T) {
	t.Parallel()
	path, _, _ := small(t)
	s, err := Open(filepath.Dir(path), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	bare := s.Bare.(sealing).Disk
	if err := errors.Join(s.Bare.Set([]byte("LastPreVote"), []byte("a")), bare.Set([]byte("Format"), []byte("2")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(filepath.Dir(path), hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Bare.(sealing).Disk.Set([]byte("LastVoteTesm"), sealValue([]byte(voteTermKey), binary.BigEndian.AppendUint64(nil, 7))), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Dir(path), hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a key that flipped: %v", err)
	}
}

// TestATermOfAVersionWithoutChecksumsIsTaken, and the other way round: that reads as much of a term as a number has, and of a vote
// that it was given, and to nobody that there is. So Raft gives no other one.
func TestATermOfAVersionWithoutChecksumsIsTaken(t *testing.T) {
	t.Parallel()
	memory := raftMemory{raft.NewInmemStore()}
	d := sealing{memory}
	key, vote := []byte(termKey), []byte(voteKey)
	if err := errors.Join(memory.Set(key, binary.BigEndian.AppendUint64(nil, 7)), memory.Set(vote, []byte("a"))); err != nil {
		t.Fatal(err)
	}
	who, err := d.Get(vote)
	if term, errTerm := d.GetUint64(key); errors.Join(err, errTerm) != nil || term != 7 || string(who) != "a" {
		t.Errorf("term %d, vote %q: %v", term, who, errors.Join(err, errTerm))
	}
	if err := errors.Join(d.SetUint64(key, 8), d.Set(vote, []byte("b"))); err != nil {
		t.Fatal(err)
	}
	if text, err := memory.Get(vote); err != nil || len(text) != len("b")+len(sealed)+4 || !bytes.HasPrefix(text, []byte("b"+string(sealed))) {
		t.Errorf("a vote for b is %q: %v", text, err)
	}
	if text, err := memory.Get(key); err != nil || binary.BigEndian.Uint64(text) != 8 {
		t.Errorf("%x: %v", text, err)
	}
}

// TestWhatIsSaidOfASnapshotIsAsWrittenOrRefused flips each bit of the file that has a snapshot's place in the log and the
// members then.
func TestWhatIsSaidOfASnapshotIsAsWrittenOrRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	members := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: "a", Address: "a@127.0.0.1:7400"}, {Suffrage: raft.Nonvoter, ID: "b", Address: "b@127.0.0.2:7400"}}}
	_, codec := raft.NewInmemTransport("")
	sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, 4100, 7, members, 3, codec)
	if err == nil {
		_, err = sink.Write([]byte("state"))
	}
	if err != nil || sink.Close() != nil {
		t.Fatal(err)
	}
	want, _ := place(s)
	if want.Index != 4100 || want.Size != 5 || !slices.Equal(want.Configuration.Servers, members.Servers) {
		t.Fatalf("%+v", want)
	}
	path := filepath.Join(dir, "snapshots", sink.ID(), "meta.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for bit := range 8 * len(whole) {
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		got, ok := place(s)
		got.Peers = want.Peers // of a version that nobody has
		if !ok {
			refused++
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("bit %d of byte %d is taken (-want +got):\n%s", bit%8, bit/8, diff)
		}
	}
	if refused < 4*len(whole) {
		t.Errorf("%d of %d were refused", refused, 8*len(whole))
	}
	if err := errors.Join(os.WriteFile(path, whole, 0o600), os.Remove(filepath.Join(filepath.Dir(path), sealFile))); err != nil {
		t.Fatal(err)
	}
	if got, ok := place(s); !ok || got.Index != 4100 {
		t.Errorf("a snapshot of a version without checksums: %+v, taken %v", got, ok)
	}
}

// TestASnapshotOfAnEarlierBuildIsTaken: it was written with Raft v1.7.3, whose fields another version may name otherwise. A checksum
// that another build makes otherwise would refuse all snapshots at the first start after an upgrade.
func TestASnapshotOfAnEarlierBuildIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "snapshots"), os.DirFS(filepath.Join("testdata", "snapshots"))); err != nil {
		t.Fatal(err)
	}
	log, err := raftboltdb.NewBoltStore(filepath.Join(dir, LogFile))
	if err == nil {
		err = errors.Join(log.SetUint64([]byte(termKey), 7), log.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, ok := place(s); !ok || got.Index != 4100 || len(got.Configuration.Servers) != 2 {
		t.Errorf("%+v, taken %v", got, ok)
	}
}

// place is what is said of the newest snapshot, if that is taken.
func place(s *Store) (raft.SnapshotMeta, bool) {
	metas, err := s.Snapshots.List()
	if err != nil || len(metas) == 0 {
		return raft.SnapshotMeta{}, false
	}
	_, r, err := s.Snapshots.Open(metas[0].ID)
	if err != nil {
		return raft.SnapshotMeta{}, false
	}
	return *metas[0], r.Close() == nil
}
