package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
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
	path := filepath.Join(cfg.DataDir, liveDir, logFile)
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
	branches := 0
	for at := 0; at < len(whole); at += os.Getpagesize() { // and in where a page has its keys, 512 MiB on
		kind, flipped := binary.NativeEndian.Uint16(whole[at+8:]), bytes.Clone(whole)
		switch kind {
		case branchPage:
			branches++
			flipped[at+pageHead+3] ^= 1 << 5
		case leafPage:
			flipped[at+pageHead+7] ^= 1 << 5
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
	s, err := openStore(filepath.Join(cfg.DataDir, liveDir), cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.bolt.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bolt.DeleteRange(last-3, last); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "was applied; this director's data") {
		t.Errorf("it starts with less than %d changes: %v", len(acked), err)
	}
}

func TestWhatTheSystemRefusesToReadIsNotCalledDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, logFile), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := openStore(dir, hclog.NewNullLogger())
	if err == nil || strings.Contains(err.Error(), "damaged") || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
	for cause, want := range map[error]bool{
		syscall.EIO: false, syscall.EMFILE: false, syscall.EACCES: false,
		syscall.ENOENT: true, io.ErrUnexpectedEOF: true, io.EOF: true, errDamaged: true,
	} {
		err := damaged(dir, "read", fmt.Errorf("page 3: %w", &fs.PathError{Op: "read", Path: "raft.db", Err: cause}))
		if got := strings.Contains(err.Error(), "is damaged"); got != want || !errors.Is(err, cause) {
			t.Errorf("%v: damaged %v: %v", cause, got, err)
		}
	}
}

// TestAGapInTheLogIsRefusedWhateverTheRecordSays: the record may be behind or lost, and for an entry that is not there
// Raft ends the process.
func TestAGapInTheLogIsRefusedWhateverTheRecordSays(t *testing.T) {
	t.Parallel()
	cfg, _ := written(t)
	dir := filepath.Join(cfg.DataDir, liveDir)
	if err := os.WriteFile(filepath.Join(dir, recordFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(dir, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.bolt.DeleteRange(1, 4), s.Close()); err != nil {
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

func TestAnEntryIsStoredWithAChecksumAndReadAsItWas(t *testing.T) {
	d := raftMemory{raft.NewInmemStore()}
	l := sealing{d}
	in := &raft.Log{Index: 1, Term: 2, Type: raft.LogCommand, Data: []byte("entry")}
	if err := l.StoreLog(in); err != nil || in.Extensions != nil {
		t.Fatalf("Raft's own entry was changed to %+v: %v", in, err)
	}
	var out raft.Log
	if err := l.GetLog(1, &out); err != nil || string(out.Data) != "entry" || out.Extensions != nil {
		t.Errorf("read %+v: %v", out, err)
	}
	var stored raft.Log
	if err := d.GetLog(1, &stored); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*raft.Log){
		"data": func(l *raft.Log) { l.Data = []byte("entrY") }, "term": func(l *raft.Log) { l.Term++ },
		"type": func(l *raft.Log) { l.Type = raft.LogNoop }, "checksum": func(l *raft.Log) { l.Extensions = l.Extensions[:4] },
	} {
		bad := stored
		change(&bad)
		if err := d.StoreLog(&bad); err != nil {
			t.Fatal(err)
		}
		if err := l.GetLog(1, &out); err == nil {
			t.Errorf("another %s: %+v is read", name, out)
		}
	}
	if err := d.StoreLog(in); err != nil { // as a version without checksums does
		t.Fatal(err)
	}
	if err := l.GetLog(1, &out); err != nil {
		t.Errorf("without a checksum: %v", err)
	}
}
