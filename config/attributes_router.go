package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/quorate/quorate/fsm"
)

// The functions below make the attribute of a key whose zero value stands for its default, and is not printed.

func textAttr(name, s string) attr { return attr{name: name, value: quote(s), plain: s == ""} }

func numberAttr[T int | uint8 | uint32](name string, n T) attr {
	return attr{name: name, value: fmt.Sprint(n), plain: n == 0}
}

func flagAttr(name string, on bool) attr {
	return attr{name: name, value: strconv.FormatBool(on), plain: !on}
}

func durationAttr(name string, d time.Duration) attr {
	return attr{name: name, value: quote(formatDuration(max(d, 0))), plain: d == 0} // see none
}

func listAttr(name string, all []string) attr {
	return attr{name: name, value: quoteList(all), plain: len(all) == 0}
}

// or gives an attribute that is not printed the value that a plan shows for it: its default.
func (a attr) or(def any) attr {
	if a.plain {
		a.value = fmt.Sprint(def)
	}
	return a
}

func addressAttr(name string, a netip.Addr) attr {
	if !a.IsValid() {
		return textAttr(name, "")
	}
	return textAttr(name, a.String())
}

func networkAttr(name string, p netip.Prefix) attr {
	if p == (netip.Prefix{}) {
		return textAttr(name, "")
	}
	return textAttr(name, p.String())
}

func networks(all []netip.Prefix) []string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	return texts
}

func routerAttrs(r fsm.Router) []attr {
	return append([]attr{
		{name: "vrid", value: strconv.Itoa(int(r.VRID))},
		{name: "interface", value: quote(r.Interface)},
		{name: "addresses", value: quoteList(networks(r.Addresses))},
		listAttr("excluded", networks(r.Excluded)),
		{name: "interval", value: quote(formatDuration(r.Interval)), plain: r.Interval == defaultAdvertInterval},
		numberAttr("version", r.Version).or(defaultVersion),
		textAttr("checksum", string(r.Checksum)).or(quote(string(defaultChecksum))),
		flagAttr("virtual_mac", r.VirtualMAC),
		{name: "accept", value: strconv.FormatBool(!r.NoAccept), plain: !r.NoAccept},
		textAttr("address_owner", r.AddressOwner),
		{name: "preempt", value: strconv.FormatBool(!r.NoPreempt), plain: !r.NoPreempt},
		durationAttr("preempt_delay", r.PreemptDelay),
		durationAttr("refresh", r.Refresh).or(quote(formatDuration(defaultRefresh))),
		flagAttr("unicast", r.Unicast),
		flagAttr("known_only", r.KnownOnly),
		flagAttr("strict_addresses", r.StrictAddresses),
	}, troubleAttrs(r.Placement)...)
}

func peerAttrs(p fsm.Peer) []attr { return []attr{numberAttr("min_ttl", p.MinTTL).or(defaultTTL)} }

// authAttrs returns attributes of which a plan shows no key: "(kept)" stands for none, which changes nothing, "(new)" for any.
func authAttrs(a fsm.Auth) []attr {
	key := func(name, key string) attr {
		if key == "" {
			return attr{name: name, value: quote(keptKey), text: keptKey}
		}
		return attr{name: name, value: quote(key), text: newKey}
	}
	other := key("other_key", a.OtherKey)
	if a.OtherID == 0 && a.OtherKey == "" {
		other = textAttr("other_key", "").or("none")
	}
	return []attr{numberAttr("key_id", a.KeyID), key("key", a.Key), numberAttr("other_key_id", a.OtherID).or("none"), other}
}

func routeAttrs(r fsm.Route) []attr {
	return []attr{
		textAttr("type", r.Type).or(quote(defaultRouteType)),
		addressAttr("via", r.Via),
		textAttr("interface", r.Interface),
		flagAttr("onlink", r.OnLink),
		addressAttr("source", r.Source),
		numberAttr("table", r.Table).or(defaultTable),
		numberAttr("metric", r.Metric),
		numberAttr("mtu", r.MTU),
	}
}

func ruleAttrs(r fsm.Rule) []attr {
	family := ""
	if r.IPv6 {
		family = "ipv6"
	}
	return []attr{
		{name: "priority", value: strconv.FormatUint(uint64(r.Priority), 10)},
		textAttr("family", family),
		networkAttr("from", r.From),
		networkAttr("to", r.To),
		textAttr("in", r.In),
		textAttr("out", r.Out),
		numberAttr("mark", r.Mark),
		numberAttr("mask", r.Mask),
		numberAttr("tos", r.TOS),
		textAttr("type", r.Type).or(quote(defaultRouteType)),
		numberAttr("table", r.Table).or(defaultTable),
	}
}

func useAttrs(u fsm.Use) []attr {
	return []attr{
		{name: "score", value: strconv.Itoa(u.Score), plain: u.Require},
		flagAttr("reverse", u.Reverse),
	}
}

func hookAttrs(h fsm.Hook) []attr {
	return []attr{
		listAttr("on", h.On).or(quoteList(hookStates)),
		{name: "command", value: quoteList(h.Command)},
		textAttr("user", h.User),
		durationAttr("timeout", h.Timeout).or(quote(formatDuration(defaultHookTimeout))),
	}
}

func trackAttrs(t fsm.Track) []attr {
	interval := durationAttr("interval", t.Interval).or(quote(formatDuration(trackInterval(t.Kind))))
	return []attr{
		textAttr("interface", t.Interface),
		listAttr("command", t.Command),
		textAttr("user", t.User),
		textAttr("path", t.Path),
		numberAttr("missing", t.Missing),
		flagAttr("missing_fails", t.MissingFails),
		textAttr("process", t.Process),
		listAttr("command_line", t.CommandLine),
		numberAttr("at_least", t.AtLeast).or(defaultTrackCount),
		numberAttr("at_most", t.AtMost),
		interval,
		durationAttr("timeout", t.Timeout).or(interval.value),
		numberAttr("rise", t.Rise).or(defaultTrackCount),
		numberAttr("fall", t.Fall).or(defaultTrackCount),
		durationAttr("up_delay", t.UpDelay),
		durationAttr("down_delay", t.DownDelay),
	}
}

// block is a part of a router or a sync group, for [Format] and for [Diff].
type block struct {
	kind  Kind
	label string
	attrs []attr
}

// routerBlocks returns a router's parts in the order in which they are printed.
func routerBlocks(r fsm.Router) []block {
	var all []block
	for _, p := range r.Peers {
		all = append(all, block{KindPeer, p.Address.String(), peerAttrs(p)})
	}
	if r.Auth != nil {
		all = append(all, block{KindAuth, string(r.Auth.Kind), authAttrs(*r.Auth)})
	}
	for _, route := range r.Routes {
		all = append(all, block{KindRoute, route.To.String(), routeAttrs(route)})
	}
	for _, rule := range r.Rules {
		all = append(all, block{KindRule, "", ruleAttrs(rule)})
	}
	return append(append(all, placementBlocks(r.Placement)...), needsBlocks(r.Needs)...)
}

func groupBlocks(g fsm.SyncGroup) []block {
	return append(placementBlocks(g.Placement), needsBlocks(g.Needs)...)
}

func needsBlocks(n fsm.Needs) []block {
	var all []block
	for _, u := range n.Uses {
		all = append(all, block{useKind(u), u.Track, useAttrs(u)})
	}
	for _, h := range n.Hooks {
		all = append(all, block{KindHook, h.Name, hookAttrs(h)})
	}
	return all
}
