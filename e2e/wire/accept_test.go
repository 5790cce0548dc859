package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// closedFile is routerFile with an owner's host that takes nothing for itself.
var closedFile = strings.Replace(routerFile, "{\n", "{\n  accept    = false\n", 1)

// pings reports whether the address answers the client, which forgets it first and must find it by ARP.
func (w *testnet) pings(t lab.T) bool {
	t.Helper()
	program(t, w.Client, "ip", "neigh", "flush", "to", vip)
	code := program(t, w.Client, "ping", "-c", "1", "-W", "1", vip).code
	if got := program(t, w.Client, "ip", "neigh", "show", "to", vip).want(t, 0).out; !strings.Contains(got, "lladdr") {
		t.Errorf("the client does not know the address: %q", got)
	}
	return code == 0
}

// refusing waits until a director's host refuses packets to the address, or refuses nothing.
func refusing(t lab.T, d *lab.Director, want bool) {
	t.Helper()
	lab.Eventually(t, moves, fmt.Sprintf("%s refuses packets: %v", d.Name, want), func() error {
		r := program(t, d.Host, "nft", "list", "tables")
		there := strings.Contains(r.out, "table inet quorate")
		if there && want {
			r = program(t, d.Host, "nft", "list", "table", "inet", "quorate")
			there = strings.Contains(r.out, vip)
		}
		if r.code != 0 || there != want {
			return errors.New(r.out + r.err)
		}
		return nil
	})
}

func TestAnOwnerThatDoesNotAcceptIsFoundAndAnswersNothing(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	if !w.pings(t) {
		t.Error("an owner that accepts does not answer")
	}
	w.apply(t, closedFile)
	for _, d := range w.Directors {
		refusing(t, d, true)
	}
	if w.pings(t) {
		t.Error("an owner that does not accept answers")
	}
	owner := w.settled(t)
	if own := strings.Split(owner.Addresses("")[0].String(), "/")[0]; program(t, w.Client, "ping", "-c", "1", "-W", "1", own).code != 0 {
		t.Errorf("its own address %s does not answer either", own)
	}

	program(t, owner.Host, "nft", "flush", "ruleset").want(t, 0)
	refusing(t, owner, true)
	lab.Eventually(t, moves, "an event tells of it", func() error {
		out, err := owner.Quorate("events")
		if err == nil && !strings.Contains(out, "restored the nftables table") {
			err = errors.New(out)
		}
		return err
	})

	command(t, owner, "leave").want(t, 0)
	refusing(t, owner, false)
	next := w.settledBut(t, owner)
	if w.pings(t) {
		t.Error("after a move the address answers")
	}
	keeper := next.Keeper()
	keeper.Kill()
	refusing(t, next, true) // whether its keeper is there or not
	time.Sleep(time.Second)
	if w.pings(t) {
		t.Error("after the death of a keeper the address answers")
	}

	w.applyFrom(t, next, routerFile)
	for _, d := range w.Directors {
		refusing(t, d, false)
	}
	if !w.pings(t) {
		t.Error("an owner that accepts again does not answer")
	}
}

// applyFrom is apply on one director.
func (w *testnet) applyFrom(t lab.T, d *lab.Director, text string) {
	t.Helper()
	command(t, d, "apply", d.WriteFile("cluster.hcl", text), "--yes").want(t, 0)
}
