package address

import (
	"strings"
	"testing"
	"time"
)

func TestV68IPv6AddressesAreUsableAtOnceAndTheirGroupsAreJoined(t *testing.T) {
	h := newNamespace(t)
	vip := on("qa", "2001:db8::1:100/64")
	must(t, h.Renew([]Address{vip}, 3*time.Second))
	if got := ip(t, "addr show dev qa"); strings.Contains(got, "tentative") || !strings.Contains(got, "2001:db8::1:100/64 scope global nodad deprecated") {
		t.Errorf("right after Renew: %s", got)
	}
	for start := time.Now(); !strings.Contains(ip(t, "maddr show dev qa"), "ff02::1:ff01:100"); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Second { // the kernel does it a moment later, by a thread of its own
			t.Fatalf("the groups are %s", ip(t, "maddr show dev qa"))
		}
	}
}

// The kernel takes an address out of use for good when it finds a duplicate, which a tool that adds it in
// the usual way brings about.
func TestAnAddressThatTheKernelFoundToBeADuplicateIsRemovedAndAddedAgain(t *testing.T) {
	h := newNamespace(t)
	inClient := client(t)
	vip := on("qa", "2001:db8::100/64")
	must(t, h.Renew([]Address{vip}, 0))
	script(t, inClient+"ip addr add 2001:db8::100/64 dev qb nodad")
	events := watch(t, h)
	expect(t, events, Event{Interface: "qa", Up: true})
	ip(t, "addr del 2001:db8::100/64 dev qa")
	expect(t, events, Event{Interface: "qa", Up: true, Removed: vip})
	ip(t, "addr add 2001:db8::100/64 dev qa")
	expect(t, events, Event{Interface: "qa", Up: true, Removed: vip})
	if got := ip(t, "addr show dev qa"); !strings.Contains(got, "dadfailed") {
		t.Fatalf("no duplicate was found: %s", got)
	}
	if has(t, h, vip) {
		t.Error("an address that the kernel does not use is present")
	}
	must(t, h.Renew([]Address{vip}, 0))
	if got := ip(t, "addr show dev qa"); strings.Contains(got, "dadfailed") || !has(t, h, vip) {
		t.Errorf("after a renewal: %s", got)
	}
}
