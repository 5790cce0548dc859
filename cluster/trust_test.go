package cluster

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// trusting is a node that does nothing but keep one CA, until the test ends. It is called in a bubble.
func trusting(t *testing.T, dir string) *Node {
	t.Helper()
	cert, _, err := newCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cas, err := certificates(cert)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{creds: &credentials{dir: dir}, port: &port{}, log: hclog.NewNullLogger()}
	n.creds.trust.Store(makeTrust(cas, nil, nil))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.keepsTrust(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestTheCAsAreKeptOnDiskWhenThatWorksAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	synctest.Test(t, func(t *testing.T) {
		n := trusting(t, dir)
		time.Sleep(10 * time.Minute) // nothing can be written, and no news come
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		text, err := os.ReadFile(filepath.Join(dir, caFile))
		if err != nil || !bytes.Equal(text, n.creds.trust.Load().text()) {
			t.Errorf("a minute after it can be written: %v", err)
		}
	})
}
