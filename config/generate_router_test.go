package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func (g generator) router(i int, tracks []string) fsm.Router {
	r := fsm.Router{
		Name: fmt.Sprintf("router-%d", i), VRID: uint8(10*i + 1 + g.IntN(10)), Interface: pick(g, []string{"wan", "lan", "eth0.100"}),
		Interval: time.Duration(1+g.IntN(4095)) * 10 * time.Millisecond,
	}
	if g.chance(30) {
		r.Interval = time.Second
	}
	if g.chance(30) {
		r.Addresses = append(r.Addresses, netip.MustParsePrefix(fmt.Sprintf("fe80::%d/64", i+1)))
	}
	for k := range 1 + g.IntN(3) {
		if r.IPv6() {
			r.Addresses = append(r.Addresses, netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::%x/%d", i, k+1, 48+g.IntN(81))))
		} else {
			r.Addresses = append(r.Addresses, netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.%d/%d", i, k, 2+g.IntN(200), pick(g, []int{8, 16, 24, 32}))))
		}
	}
	for k := range g.IntN(3) {
		r.Excluded = append(r.Excluded, netip.MustParsePrefix(pick(g, []string{fmt.Sprintf("172.16.%d.%d/24", i, k+1), fmt.Sprintf("2001:db8:%d:1::%x/64", i, k+1)})))
	}
	g.wire(&r)
	g.authenticate(&r)
	for k := range g.IntN(3) {
		r.Routes = append(r.Routes, g.route(i, k))
	}
	for k := range g.IntN(3) {
		r.Rules = append(r.Rules, g.rule(k))
	}
	r.Needs, r.Placement = g.needs(tracks), g.placement()
	return r
}

// wire makes how the router speaks and to whom.
func (g generator) wire(r *fsm.Router) {
	switch {
	case r.IPv6():
	case g.chance(30):
		r.Version, r.Interval, r.StrictAddresses = 2, time.Duration(1+g.IntN(255))*time.Second, g.chance(50)
	case g.chance(30):
		r.Checksum = fsm.PlainChecksum
	}
	r.VirtualMAC, r.Unicast, r.KnownOnly, r.NoAccept = g.chance(20), g.chance(30), g.chance(20), g.chance(20)
	switch g.IntN(4) {
	case 0:
		r.NoPreempt = true
	case 1:
		r.AddressOwner = "d1"
		fallthrough
	case 2:
		r.PreemptDelay = time.Duration(g.IntN(100_000)) * time.Millisecond
	}
	r.Refresh = pick(g, []time.Duration{0, none, 5 * time.Second, time.Hour})
	for k := range g.IntN(3) {
		p := fsm.Peer{Address: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 10+k))}
		if r.IPv6() {
			p.Address = netip.MustParseAddr(fmt.Sprintf("2001:db8:9::%d", 10+k))
		}
		if r.Unicast {
			p.MinTTL = uint8(g.IntN(255))
		}
		r.Peers = append(r.Peers, p)
	}
}

func (g generator) authenticate(r *fsm.Router) {
	switch {
	case g.chance(50):
	case r.Version == 2:
		r.Auth = &fsm.Auth{Kind: pick(g, []fsm.AuthKind{fsm.AuthPassword, fsm.AuthHeader}), Key: pick(g, []string{"", "s3cr3t", `"${x}`})}
	default:
		secrets := []string{"", strings.Repeat("0f", 32), strings.Repeat("A5", 64)}
		r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: uint8(1 + g.IntN(255)), Key: pick(g, secrets)}
		if other := uint8(1 + g.IntN(255)); g.chance(50) && other != r.Auth.KeyID {
			r.Auth.OtherID, r.Auth.OtherKey = other, pick(g, secrets)
		}
	}
}

func (g generator) route(i, k int) fsm.Route {
	v6 := g.chance(40)
	r := fsm.Route{To: netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", 100+i, k)), Metric: uint32(g.IntN(3)), MTU: uint32(pick(g, []int{0, 1280, 9000}))}
	via, source := netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("192.0.2.1")
	if v6 {
		r.To = netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d:%d::/64", 100+i, k))
		via, source = netip.MustParseAddr("fe80::254"), netip.MustParseAddr("2001:db8::1")
	}
	r.Table = uint32(pick(g, []int{0, 100, 253}))
	if g.chance(50) {
		r.Source = source
	}
	switch g.IntN(4) {
	case 0:
		r.Type = pick(g, routeTypes[1:])
	case 1:
		r.Interface = "lan"
	default:
		r.Via, r.Interface, r.OnLink = via, "wan", g.chance(50)
	}
	return r
}

func (g generator) rule(k int) fsm.Rule {
	r := fsm.Rule{Priority: uint32(1000 + 10*g.IntN(3) + k), In: pick(g, []string{"", "wan"}), Out: pick(g, []string{"", "lan"}), TOS: uint8(4 * g.IntN(8))}
	switch g.IntN(4) {
	case 0:
		r.From, r.To = netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/0")
	case 1:
		r.From = netip.MustParsePrefix("2001:db8::/32")
	case 2:
		r.IPv6 = true
	}
	if g.chance(50) {
		r.Mark = uint32(g.IntN(256))
		r.Mask = pick(g, []uint32{0, 0xff})
	}
	if g.chance(30) {
		r.Type = pick(g, routeTypes[1:])
	} else {
		r.Table = uint32(pick(g, []int{0, 100}))
	}
	return r
}

func (g generator) needs(tracks []string) fsm.Needs {
	var n fsm.Needs
	for _, name := range tracks {
		switch g.IntN(4) {
		case 0:
			n.Uses = append(n.Uses, fsm.Use{Track: name, Require: true, Reverse: g.chance(30)})
		case 1:
			n.Uses = append(n.Uses, fsm.Use{Track: name, Score: pick(g, []int{-253, -1, 60, 253}), Reverse: g.chance(30)})
		}
	}
	for k := range g.IntN(3) {
		h := fsm.Hook{Name: fmt.Sprintf("hook%d", k), Command: []string{"/bin/hook", g.text()}, User: pick(g, []string{"", "root"})}
		h.Timeout = time.Duration(pick(g, []int{0, 10, 3_600_000})) * time.Millisecond
		h.On = listed(hookStates[g.IntN(2) : 2+g.IntN(2)])
		n.Hooks = append(n.Hooks, h)
	}
	return canonicalNeeds(n)
}

func (g generator) placement() fsm.Placement {
	p := fsm.Placement{Policy: pick(g, []fsm.Policy{"", fsm.Leader, fsm.Spread, fsm.Pinned, fsm.Score})}
	p.OnQuorumLoss = pick(g, []fsm.QuorumLoss{"", fsm.GiveWay, fsm.LetGo})
	p.OnSegmentCut = pick(g, []fsm.SegmentCut{"", fsm.OneSide})
	if p.Policy != "" {
		p.Hold = pick(g, []time.Duration{0, none, 3 * time.Second, time.Hour})
	}
	if p.Policy == fsm.Pinned {
		p.Directors = pick(g, [][]string{{"d1"}, {"d3", "d1", "lb.2"}})
	}
	for k := range g.IntN(3) {
		put(&p.Scores, fmt.Sprintf("d%d", k), 1+g.IntN(254))
	}
	return p
}

func (g generator) track(i int) fsm.Track {
	t := fsm.Track{Name: fmt.Sprintf("track.%d", i), Kind: fsm.TrackKind(pick(g, trackKinds))}
	span := func(n int) time.Duration { return time.Duration(n+g.IntN(100_000)) * time.Millisecond }
	switch t.Kind {
	case fsm.TrackInterface:
		t.Interface = pick(g, []string{"wan", "eth0.100"})
		t.UpDelay, t.DownDelay = span(0), span(0)
	case fsm.TrackScript:
		t.Command, t.User = []string{"/bin/track", g.text()}, pick(g, []string{"", "_apt"})
		t.Interval, t.Timeout, t.Rise, t.Fall = span(10), span(10), g.IntN(3), 2+g.IntN(99)
	case fsm.TrackFile:
		t.Path = "/run/" + strings.ReplaceAll(g.text(), "/", "")
		if t.MissingFails = g.chance(50); !t.MissingFails {
			t.Missing = g.IntN(2_000_001) - 1_000_000
		}
		t.Interval = span(10)
	case fsm.TrackProcess:
		if g.chance(50) {
			t.Process = "haproxy"
		} else {
			t.CommandLine = []string{"/usr/sbin/haproxy", g.text()}
		}
		t.AtLeast = g.IntN(3)
		if g.chance(50) {
			t.AtMost = 2 + g.IntN(9)
		}
		t.DownDelay = span(0)
	}
	return canonicalTrack(t)
}

func TestTheGeneratorMakesEveryField(t *testing.T) {
	made := make(map[string]bool)
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		if m, ok := v.Interface().(fsm.Map[fsm.Service]); ok {
			v = reflect.ValueOf(maps.Collect(m.All()))
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				visit(v.Elem())
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				visit(v.MapIndex(k))
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if !v.Type().Field(i).IsExported() {
					return
				}
				name := v.Type().String() + "." + v.Type().Field(i).Name
				made[name] = made[name] || !v.Field(i).IsZero()
				visit(v.Field(i))
			}
		}
	}
	for seed := range 200 {
		visit(reflect.ValueOf(newGenerator(seed).config(t)))
	}
	var never []string
	for name, is := range made {
		if !is {
			never = append(never, name)
		}
	}
	slices.Sort(never)
	if len(never) > 0 || len(made) < 100 {
		t.Errorf("of %d fields these are never set: %s", len(made), strings.Join(never, ", "))
	}
}
