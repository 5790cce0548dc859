package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
)

// written is a node alone that has stopped, with entries before and after a snapshot.
func written(t *testing.T) (cfg Config, acked []string) {
	t.Helper()
	n := first(t, "a")
	for i := range 12 {
		id := fmt.Sprint("t", i)
		if err := n.Propose(t.Context(), aToken(id)); err != nil {
			t.Fatal(err)
		}
		acked = append(acked, id)
	}
	n.end()
	return n.cfg, acked
}

// TestADamagedLogIsRefusedOrWhole flips bytes and cuts the log's file off: a node that starts has all, and one that does
// not says what mends it.
func TestADamagedLogIsRefusedOrWhole(t *testing.T) {
	t.Parallel()
	cfg, acked := written(t)
	path := filepath.Join(cfg.DataDir, liveDir, logstore.LogFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	try := func(what string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := (survivor{t: t, cfg: cfg, acked: acked}).starts(); {
		case err == nil:
		case strings.Contains(err.Error(), "is damaged") && strings.Contains(err.Error(), "quorate join"):
			refused++
		default:
			t.Errorf("%s: %v", what, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	tokens := bytes.Count(whole, []byte("add-token/1"))
	for range 50 {
		at := random.IntN(len(whole))
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << random.IntN(8)
		try(fmt.Sprint("bit flipped in byte ", at), flipped)
	}
	for at := 0; ; at++ { // and in what was written down of each change
		next := bytes.Index(whole[at:], []byte("add-token/1"))
		if next < 0 {
			break
		}
		at += next
		flipped := bytes.Clone(whole)
		flipped[at+30] ^= 2
		try(fmt.Sprint("bit flipped in the entry at ", at), flipped)
	}
	for page := 0; page < len(whole)/os.Getpagesize(); page++ { // and in what the store believes of each page
		for range 2 {
			at := page*os.Getpagesize() + random.IntN(48)
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << random.IntN(8)
			try(fmt.Sprint("bit flipped in byte ", at, ", the head of a page"), flipped)
		}
	}
	const head, branch, leaf = 16, 1, 2 // how long the head of a page is, and by what kind two are known
	branches := 0
	for at := 0; at < len(whole); at += os.Getpagesize() { // and in where a page has its keys, 512 MiB on
		kind, flipped := binary.NativeEndian.Uint16(whole[at+8:]), bytes.Clone(whole)
		switch kind {
		case branch:
			branches++
			flipped[at+head+3] ^= 1 << 5
		case leaf:
			flipped[at+head+7] ^= 1 << 5
		default:
			continue
		}
		try(fmt.Sprint("bit flipped in where keys are of the page at ", at), flipped)
	}
	for range 10 {
		try("cut off", whole[:random.IntN(len(whole))])
	}
	if refused < 20 || tokens < 12 || branches == 0 {
		t.Errorf("%d were refused; the file has %d changes and %d branches", refused, tokens, branches)
	}
	try("nothing", whole)
}

// TestALogThatEndsBeforeWhatWasAppliedIsRefused takes the end of the log away whole, as a disk does that lost a write.
func TestALogThatEndsBeforeWhatWasAppliedIsRefused(t *testing.T) {
	t.Parallel()
	cfg, acked := written(t)
	s, err := logstore.Open(filepath.Join(cfg.DataDir, liveDir), cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.Bare.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bare.DeleteRange(last-3, last); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "was applied; this director's data") {
		t.Errorf("it starts with less than %d changes: %v", len(acked), err)
	}
}

// TestAGapInTheLogIsRefusedWhateverTheRecordSays: the record may be behind or lost, and for an entry that is not there
// Raft ends the process.
func TestAGapInTheLogIsRefusedWhateverTheRecordSays(t *testing.T) {
	t.Parallel()
	cfg, _ := written(t)
	dir := filepath.Join(cfg.DataDir, liveDir)
	if err := os.WriteFile(filepath.Join(dir, logstore.RecordFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := logstore.Open(dir, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Bare.DeleteRange(1, 4), s.Close()); err != nil {
		t.Fatal(err)
	}
	n, err := Open(cfg)
	if err == nil {
		err = n.Close()
		t.Fatalf("it would start, and Raft panic; closed: %v", err)
	}
	if !strings.Contains(err.Error(), "read log entry 1 of 1 to") || !strings.Contains(err.Error(), "is damaged") {
		t.Error(err)
	}
}

// TestAGapBehindASnapshotOfAHealedStateIsRefused: such a state came from another member and may be ahead of the log here, of
// which Raft will read all that is behind the snapshot.
func TestAGapBehindASnapshotOfAHealedStateIsRefused(t *testing.T) {
	t.Parallel()
	cfg, _ := written(t)
	dir := filepath.Join(cfg.DataDir, liveDir)
	s, err := logstore.Open(dir, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	ahead, last, err := everything(s, cfg.Log)
	if err != nil || last < 9 {
		t.Fatalf("the log ends with entry %d: %v", last, err)
	}
	sink, err := s.Snapshots.Create(1, 3, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	behind := os.WriteFile(filepath.Join(dir, logstore.RecordFile), nil, 0o600)
	if err := errors.Join(snapshot{&ahead}.Persist(sink), behind, recordAt(dir, 4), s.Bare.DeleteRange(6, 6), s.Close()); err != nil {
		t.Fatal(err)
	}
	n, err := Open(cfg)
	if err == nil {
		err = n.Close()
		t.Fatalf("it would start, and Raft panic; closed: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("read log entry 6 of 5 to %d", last)) || !strings.Contains(err.Error(), "is damaged") {
		t.Error(err)
	}
}

// TestALogThatIsGoneIsRefusedThoughASnapshotHasTheState: of what a leader believes to be stored here that snapshot may not have the
// end, and the vote was in the log's file.
func TestALogThatIsGoneIsRefusedThoughASnapshotHasTheState(t *testing.T) {
	t.Parallel()
	n := first(t, "a")
	if err := errors.Join(n.Propose(t.Context(), aToken("t")), n.raft.Load().Snapshot().Error()); err != nil {
		t.Fatal(err)
	}
	n.end()
	path := filepath.Join(n.cfg.DataDir, liveDir, logstore.LogFile)
	for name, spoil := range map[string]func() error{"removed": func() error { return os.Remove(path) }, "emptied": func() error { return os.Truncate(path, 0) }} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(survivor{t: t, cfg: n.cfg}.elsewhere().cfg)
		if err == nil {
			t.Fatalf("%s: it starts; closed: %v", name, again.Close())
		}
		if !strings.Contains(err.Error(), "the term is 0, and snapshot ") || !strings.Contains(err.Error(), "this director's data in ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestASnapshotOfAnotherPlaceIsRefused has a snapshot say that it is of a later entry than it is: what is between would be left
// out, and nobody would know.
func TestASnapshotOfAnotherPlaceIsRefused(t *testing.T) {
	t.Parallel()
	n := first(t, "a")
	r := n.raft.Load()
	for i := range 12 {
		if err := n.Propose(t.Context(), aToken(fmt.Sprint("t", i))); err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			c := r.ReloadableConfig()
			c.TrailingLogs = 1
			if err := errors.Join(r.ReloadConfig(c), r.Snapshot().Error()); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.end()
	metas, err := n.store.Snapshots.List()
	if err != nil || len(metas) != 1 {
		t.Fatalf("%d snapshots: %v", len(metas), err)
	}
	path := filepath.Join(n.cfg.DataDir, liveDir, "snapshots", metas[0].ID, "meta.json")
	whole, err := os.ReadFile(path)
	is, says := fmt.Appendf(nil, `"Index":%d,"Term"`, metas[0].Index), fmt.Appendf(nil, `"Index":%d,"Term"`, metas[0].Index^2)
	if err != nil || bytes.Count(whole, is) != 1 {
		t.Fatalf("%s: %v", whole, err)
	}
	if err := os.WriteFile(path, bytes.Replace(whole, is, says, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(survivor{t: t, cfg: n.cfg}.elsewhere().cfg)
	if err == nil {
		t.Fatalf("it starts, with %d of 12 tokens; closed: %v", len(again.State().Secrets().Tokens), again.Close())
	}
	if !strings.Contains(err.Error(), "does not match its checksum; this director's data") {
		t.Error(err)
	}
}

// TestWhoADirectorIsIsAsWrittenOrRefused flips, cuts off and removes what says who a director is. One that has another ID would
// be in no quorum, and say nothing of it; one whose file is gone would begin as if it had never been in a cluster.
func TestWhoADirectorIsIsAsWrittenOrRefused(t *testing.T) {
	t.Parallel()
	cfg, acked := written(t)
	dir := filepath.Join(cfg.DataDir, liveDir)
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := readCredentials(dir, id, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cert := creds.Leaf()
	refused := 0
	starts := func(what string) {
		t.Helper()
		if !Exists(cfg.DataDir) {
			t.Errorf("%s: it is in no cluster", what)
		}
		s := survivor{t: t, cfg: cfg, acked: acked}.elsewhere()
		n, err := Open(s.cfg)
		switch {
		case err == nil:
			if is := n.id; is != id {
				t.Errorf("%s: it starts as %+v", what, is)
			}
			// one that names another CA may be from before a rotation, which only the others know
			if leaf := n.creds.Leaf(); !bytes.Equal(leaf.Raw, cert.Raw) && bytes.Equal(leaf.AuthorityKeyId, cert.AuthorityKeyId) {
				t.Errorf("%s: it starts with another certificate", what)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		case strings.Contains(err.Error(), "this director's data in "+dir+" is damaged") && strings.Contains(err.Error(), "quorate join"):
			refused++
		default:
			t.Errorf("%s: %v", what, err)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	files := []string{identityFile, pki.CAFile, pki.CertFile, pki.KeyFile}
	for _, name := range files {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		put := func(text []byte, what string) {
			t.Helper()
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			starts(what + " of " + name)
		}
		put(nil, "nothing")
		put(whole[:len(whole)/2], "half")
		for at := range whole {
			if name == identityFile || at%8 == 0 {
				flipped := bytes.Clone(whole)
				flipped[at] ^= 1 << random.IntN(8)
				put(flipped, fmt.Sprint("a bit in byte ", at))
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		starts("no " + name)
		put(whole, "all")
	}
	if refused < 100 {
		t.Errorf("%d were refused", refused)
	}
}
