package vrrp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// What the kernel has no room for is known from the next datagram that it has room for.
func TestV84WhatDoesNotFitIntoTheQueueIsCounted(t *testing.T) {
	fd, to := pair(t)
	c, err := Listen("qa", false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	advert, sent := frame(t, nil), 0
	for range 30_000 {
		if unix.Sendto(fd, advert, 0, to) == nil {
			sent++
		}
	}
	heard, lost := 0, uint64(0)
	take := func() {
		for buf := make([]byte, 2048); ; {
			d, ok, err := c.Receive(buf)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
			heard, lost = heard+1, lost+d.Lost
		}
	}
	take()
	if heard == sent {
		t.Fatalf("all %d had room", sent)
	}
	if err := unix.Sendto(fd, advert, 0, to); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	take()
	if heard+int(lost) != sent+1 {
		t.Errorf("%d heard and %d lost of %d", heard, lost, sent+1)
	}
}
