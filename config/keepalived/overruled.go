package keepalived

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/config"
)

// saying are the keywords that say a part of a block of the cluster file, by the part's kind and field.
var saying = map[config.Kind]map[string]string{
	config.KindRouter: {
		"vrid": "virtual_router_id", "addresses": "virtual_ipaddress", "excluded": "virtual_ipaddress_excluded", "interval": "advert_int",
		"version": "version vrrp_version", "checksum": "v3_checksum_as_v2", "virtual_mac": "use_vmac",
		"accept": "accept no_accept strict_mode vrrp_strict", "refresh": "garp_master_refresh vrrp_garp_master_refresh", "unicast": "unicast_peer",
	},
	config.KindSyncGroup: {"routers": "group"},
	config.KindAuth:      {"": "auth_type auth_pass key active_key"},
	config.KindRoute:     {"": "virtual_routes"},
	config.KindRule:      {"": "virtual_rules"},
	config.KindRequire:   {"": "track_interface track_script track_file track_process weight"},
	config.KindPrefer:    {"": "track_interface track_script track_file track_process weight"},
	config.KindHook: {
		"": "notify notify_master notify_backup notify_fault notify_stop", "user": "notify notify_master notify_backup notify_fault notify_stop script_user",
	},
	config.KindTrack: {
		"command": "script", "user": "user script_user", "path": "file", "missing": "init_file", "process": "process", "command_line": "process",
		"at_least": "quorum", "at_most": "quorum_max", "interval": "interval", "timeout": "timeout", "rise": "rise", "fall": "fall",
		"up_delay": "delay fork_delay", "down_delay": "delay terminate_delay",
	},
}

// saidOf is a line that says a part of a block.
type saidOf struct {
	Place
	keyword, text string
}

// overruled tells of the lines of another host that say a part of a block otherwise than the first host, which counts.
func (p *pair) overruled(m *model, c config.Change, field string) {
	words := saying[c.Kind][field]
	if words == "" {
		words = saying[c.Kind][""]
	}
	all, track := []thing{topOf(c, p.base, m)}, ""
	if c.Kind == config.KindRequire || c.Kind == config.KindPrefer {
		_, track, _ = strings.Cut(c.Name, "/")
		all = append(all, thing{config.KindTrack, track})
	}
	told := false
	for _, t := range all {
		if told { // a weight that is said where the track is used counts
			break
		}
		first, host := p.first(t, strings.Fields(words), track)
		for _, l := range m.saying(m.places[t], strings.Fields(words), track) {
			known := slices.ContainsFunc(first, func(o saidOf) bool { return o.text == l.text || o.Place == l.Place })
			if known || c.Kind == config.KindRouter && m.elsewhere(t, l.text) {
				continue
			}
			told = true
			p.notes.Retract(l.Place, l.keyword)
			p.notes.Dropped(l.Place, l.keyword, "on %s it is not so, and that counts for all directors", host)
		}
	}
}

// elsewhere reports whether an address of an instance is not one of its router's, but of one that was made on another interface.
func (m *model) elsewhere(t thing, address string) bool {
	p, err := netip.ParsePrefix(address)
	r := m.config.Routers[t.name]
	return err == nil && !slices.Contains(r.Addresses, p) && !slices.Contains(r.Excluded, p)
}

// first are the lines that say a part of a block on the first host that has the block, and that host's name.
func (p *pair) first(t thing, words []string, track string) ([]saidOf, string) {
	at := p.base.places[t]
	for _, m := range p.models {
		if slices.ContainsFunc(m.host.top, func(s *Statement) bool { return s.Place == at }) {
			return m.saying(at, words, track), m.host.name
		}
	}
	return nil, p.base.host.name
}

// saying are the lines with some keywords in the block at a place, or in what counts for all blocks. Of what is tracked it
// is those of one track.
func (m *model) saying(at Place, words []string, track string) []saidOf {
	var all []saidOf
	for _, s := range m.host.top {
		if s.Place == at || s.Word == "global_defs" {
			all = append(all, m.sayingIn(s, words, track)...)
		}
	}
	return all
}

func (m *model) sayingIn(block *Statement, words []string, track string) []saidOf {
	var all []saidOf
	for _, s := range block.Block {
		keyword := in(block.Word, s.Word)
		switch {
		case slices.Contains(things, s.Word):
			all = append(all, m.sayingIn(s, words, track)...)
		case !slices.Contains(words, s.Word):
		case s.Word == "virtual_ipaddress" || s.Word == "virtual_ipaddress_excluded":
			for _, l := range lines(s) {
				text := l.Word
				if address, ok := prefix(text); ok {
					text = address.String()
				}
				all = append(all, saidOf{l.Place, keyword, text})
			}
		case slices.Contains(lists, s.Word):
			for _, l := range lines(s) {
				if track == "" || m.follows(s.Word, l.Word, track) {
					all = append(all, saidOf{l.Place, keyword, s.Word + " " + l.String()})
				}
			}
		default:
			all = append(all, saidOf{s.Place, keyword, s.String()})
		}
	}
	return all
}

// follows reports whether a line of a list is of a track of the cluster file.
func (m *model) follows(list, name, track string) bool {
	for kind, word := range useWords {
		if word == list {
			return m.tracks[trackKey{kind, name}] == track || m.tracks[trackKey{kind, m.host.link(name)}] == track
		}
	}
	return false
}
