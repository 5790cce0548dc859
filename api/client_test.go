package api

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAClientLeavesNoConnectionBehind(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, Status{Name: "d1"}) })}
	go server.Serve(l)
	defer server.Close()
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for range 50 {
		if _, err := NewClient(socket).Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var now int
	for range 100 {
		if now = open(); now <= before+2 {
			return
		}
		time.Sleep(10 * time.Millisecond) // the server sees the end a moment later
	}
	t.Errorf("%d files are open, %d before fifty calls", now, before)
}
