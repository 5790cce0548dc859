package keepalived

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
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
		"up_delay": "delay fork_delay interface_up_down_delays", "down_delay": "delay terminate_delay interface_up_down_delays",
	},
	config.KindService: {
		"scheduler": "lb_algo lvs_sched", "forward": "lvs_method lb_kind", "persistence": "persistence_timeout", "persistence_mask": "persistence_granularity",
	},
	config.KindServer:   {"weight": "weight", "forward": "lvs_method lb_kind", "inhibit": "inhibit_on_failure"},
	config.KindFallback: {"address": "sorry_server", "forward": "sorry_server_lvs_method"},
	config.KindCheck:    {"interval": "delay_loop", "timeout": "connect_timeout misc_timeout", "fall": "retry nb_get_retry"}, // else it is another check
}

// notSo is what is said of what another host says otherwise than the one that counts.
const notSo = "on %s it is not so, and that counts for all directors"

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
	if all[0].kind == config.KindService {
		p.overruledService(m, c, strings.Fields(words))
		return
	}
	if c.Kind == config.KindTrack {
		track = c.Name
	}
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
			p.notSo(l, host)
		}
	}
}

// notSo tells of a line that another host overrules.
func (p *pair) notSo(l saidOf, host string) {
	p.notes.Retract(l.Place, l.keyword)
	p.notes.Dropped(l.Place, l.keyword, notSo, host)
}

// overruledService tells of the lines of another host that say a part of a service otherwise than the first host that has it.
func (p *pair) overruledService(m *model, c config.Change, words []string) {
	for _, first := range p.models {
		said, ok := first.serviceSays(c, words)
		if !ok {
			continue
		}
		mine, _ := m.serviceSays(c, words)
		for _, l := range mine {
			if !slices.ContainsFunc(said, func(o saidOf) bool { return o.text == l.text }) {
				p.notSo(l, first.host.name)
			}
		}
		return
	}
}

// serviceSays are the lines with some keywords in the virtual_server that a part of a service comes from, and whether there is
// one: those of a server stand in its block, or else in the service's.
func (m *model) serviceSays(c config.Change, words []string) (all []saidOf, ok bool) {
	name, of, _ := strings.Cut(c.Name, "/")
	for _, o := range m.origins {
		if o.name != name {
			continue
		}
		at := make(map[Place]bool) // of the servers whose blocks count
		for _, r := range o.servers {
			at[r.Place] = c.Kind == config.KindCheck || c.Kind == config.KindServer && r.at.String() == of
		}
		var inner, outer []saidOf
		var look func(block *Statement, to *[]saidOf)
		look = func(block *Statement, to *[]saidOf) {
			for _, s := range block.Block {
				switch {
				case slices.Contains(words, s.Word):
					*to = append(*to, saidOf{s.Place, in(block.Word, s.Word), s.String()})
				case at[s.Place], block.Word == inServer && c.Kind == config.KindCheck:
					look(s, &inner)
				}
			}
		}
		for _, s := range m.host.top {
			if s.Place == o.Place {
				look(s, &outer)
			}
		}
		if c.Kind == config.KindServer && len(inner) > 0 {
			return inner, true
		}
		return append(outer, inner...), true
	}
	return nil, false
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
	return p.base.saying(at, words, track), p.base.host.name
}

// saying are the lines with some keywords in the block at a place, or in what counts for all blocks. Of what is tracked it
// is those of one track.
func (m *model) saying(at Place, words []string, track string) []saidOf {
	var all []saidOf
	for _, s := range m.host.top {
		if s.Place == at || s.Word == "global_defs" {
			all = append(all, m.sayingIn(s, words, track)...)
		}
		if s.Word != "interface_up_down_delays" || !slices.Contains(words, s.Word) {
			continue
		}
		for _, l := range lines(s) {
			if name, ok := m.tracks[trackKey{fsm.TrackInterface, m.host.link(l.Word)}]; ok && name == track {
				all = append(all, saidOf{l.Place, s.Word, l.String()})
			}
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
