package cluster

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		switch err := (survivor{t, cfg, acked}).starts(); {
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
	for range 10 {
		try("cut off", whole[:random.IntN(len(whole))])
	}
	if refused < 20 || tokens < 12 {
		t.Errorf("%d were refused; the file has %d changes", refused, tokens)
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

func TestAnEntryIsStoredWithAChecksumAndReadAsItWas(t *testing.T) {
	d := raftMemory{raft.NewInmemStore()}
	l := logStore{&store{bolt: d}}
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
