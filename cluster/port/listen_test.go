package port

import (
	"net/netip"
	"os/exec"
	"sync"
	"testing"
)

// A program that is started while a port is open has it too, until it runs.
func TestAPortThatWasClosedCanBeOpenedWhileProgramsAreStarted(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.83.19.4:0"))
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	done := make(chan struct{})
	var starts sync.WaitGroup
	for range 4 {
		starts.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = exec.Command("/bin/true").Run()
				}
			}
		})
	}
	for i := range 2000 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if l, err = Listen(addr); err != nil {
			t.Errorf("round %d: %v", i, err)
			break
		}
	}
	close(done)
	starts.Wait()
	if l != nil {
		l.Close()
	}
}
