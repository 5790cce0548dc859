package agent

import (
	"net/netip"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// What a host serves, or a third director, has connections that the one which is taken from does not tell of.
func TestConnectionsAreForgottenOnlyToAddressesOfWhoIsTakenFrom(t *testing.T) {
	router := func(address string) fsm.Router {
		return fsm.Router{Name: address, Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/32")}}
	}
	state := &fsm.State{Groups: map[string]fsm.Ownership{}, Config: fsm.Config{Routers: map[string]fsm.Router{}}}
	for address, owner := range map[string]string{"192.0.2.1": "d1", "192.0.2.2": "d1", "192.0.2.3": "d2", "192.0.2.4": "d3"} {
		state.Groups[address] = fsm.Ownership{Owner: owner}
		state.Config.Routers[address] = router(address)
	}
	theirs := addressesOf(state, "d1", []string{"192.0.2.2", "192.0.2.3"}) // the first of these is here already, the log does not know
	for address, want := range map[string]bool{"192.0.2.1": true, "192.0.2.2": false, "192.0.2.3": false, "192.0.2.4": false, "203.0.113.1": false} {
		if got := theirs(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
