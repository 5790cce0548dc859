package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/logstore/faulty"
)

func TestAWriteOfTermOrVoteIsTriedUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := faulty.New(raftMemory{raft.NewInmemStore()})
		d.FailStable(unix.ENOSPC)
		s := newStore("", d, Snapshots{}, hclog.NewNullLogger())
		done := make(chan error, 1)
		go func() { done <- stableStore{s}.SetUint64([]byte("CurrentTerm"), 7) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("it returned %v with nothing written", err)
		default:
		}
		if d.Tries() < 100 {
			t.Errorf("tried %d times in a minute", d.Tries())
		}
		d.FailStable(nil)
		time.Sleep(time.Second)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if term, err := s.Bare.GetUint64([]byte("CurrentTerm")); term != 7 || err != nil {
			t.Errorf("stored %d, %v", term, err)
		}
	})
}

func TestAWriteThatNeverWorksEndsItsGoroutineOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := faulty.New(raftMemory{raft.NewInmemStore()})
		d.FailStable(unix.EIO)
		s := newStore("", d, Snapshots{}, hclog.NewNullLogger())
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			_ = stableStore{s}.Set([]byte("LastVoteCand"), []byte("x"))
			returned = true
		}()
		time.Sleep(time.Second)
		s.Release()
		<-ended
		if returned {
			t.Error("it said that the vote was stored")
		}
	})
}

// raftMemory is a disk in memory.
type raftMemory struct{ *raft.InmemStore }

func (raftMemory) Close() error { return nil }

// hangingClose is a disk that is never done.
type hangingClose struct {
	Disk
	free chan struct{}
}

func (d hangingClose) Close() error {
	<-d.free
	return nil
}

func TestClosingDoesNotWaitForADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hangingClose{free: make(chan struct{})}
		s := newStore("", d, Snapshots{}, hclog.NewNullLogger())
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Error(err)
		}
		close(d.free)
	})
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
func TestWhatTheSystemRefusesToReadIsNotCalledDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, LogFile), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, hclog.NewNullLogger())
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

// TestASnapshotThatWasNotFinishedIsRemovedAtTheNextStart and a whole one stays.
func TestASnapshotThatWasNotFinishedIsRemovedAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, codec := raft.NewInmemTransport("")
	begin := func(s *Store, index uint64) raft.SnapshotSink {
		t.Helper()
		sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, index, 0, raft.Configuration{}, 1, codec)
		if err == nil {
			_, err = sink.Write([]byte("state"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return sink
	}
	s, err := Open(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := begin(s, 7).Close(); err != nil {
		t.Fatal(err)
	}
	begin(s, 8) // and the process ends
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	there, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(there) != 1 || !strings.HasPrefix(there[0].Name(), "0-7-") {
		t.Errorf("%v: %v", there, err)
	}
}
