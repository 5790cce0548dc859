package keepalived

import (
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// notWith is what is said of what is in a block that is lost.
const notWith = "it goes with the block that it is in"

// blockKinds are what a block of keepalived's may be told of as: blocks of a cluster file.
var blockKinds = []string{string(config.KindRouter), string(config.KindSyncGroup), string(config.KindTrack), string(config.KindService)}

// things are the blocks in those of VRRP that are carried over or not by themselves.
var things = []string{"authentication", "auth_hmac"}

// lists are blocks whose lines are carried over or not by themselves.
var lists = []string{"track_interface", "track_script", "track_file", "track_process", "virtual_routes", "virtual_rules"}

// parts are the blocks in those of services that are in the cluster file or not by themselves.
var parts = map[string][]string{
	"":         {inService, inAddresses},
	inService:  {inServer, "sorry_server"},
	inServer:   slices.Sorted(maps.Keys(checkKinds)),
	"HTTP_GET": {"url"},
	"SSL_GET":  {"url"},
}

// timing are the keywords of a service, a server or a check that say something of the checks in it, and of which ones.
var timing = map[string]func(kind fsm.CheckKind) bool{
	"delay_loop":      func(fsm.CheckKind) bool { return true },
	"retry":           func(fsm.CheckKind) bool { return true },
	"nb_get_retry":    func(fsm.CheckKind) bool { return true },
	"connect_timeout": func(kind fsm.CheckKind) bool { return kind != fsm.CheckScript },
	"misc_timeout":    func(kind fsm.CheckKind) bool { return kind == fsm.CheckScript },
	"virtualhost":     func(kind fsm.CheckKind) bool { return kind == fsm.CheckHTTP || kind == fsm.CheckHTTPS },
}

// settling finds what is not carried over.
type settling struct {
	notes     *notes
	kept      map[Place]bool          // blocks and lines of which something is in the cluster file
	told      map[Place][]string      // keywords that are not carried over
	why       map[Place]string        // what there is to say of what is not in it
	takes     map[Place]imported.Loss // what is lost, and what there is to say of it
	otherwise string                  // what there is to say where nothing else is
}

// settle says of each construct what became of it once it is known what is in the cluster file. What was said when it was read
// is what becomes of it if the block that it is a part of is in there.
func (p *pair) settle() {
	s := settling{notes: p.notes, kept: make(map[Place]bool), told: p.notes.Lost(), why: make(map[Place]string), takes: make(map[Place]imported.Loss)}
	for _, m := range p.models {
		for at, is := range m.came(p.base.config) {
			s.kept[at] = s.kept[at] || is
		}
		maps.Copy(s.kept, m.serves)
		own := map[Place]bool{} // what would be in the cluster file if this host's file counted: why it is not is another's
		if m != p.base {
			own = m.came(m.config)
		}
		for at, why := range m.why {
			if !own[at] {
				s.why[at] = why
			}
		}
		for t, at := range m.places {
			if _, ok := p.base.places[t]; ok && t.kind != config.KindService {
				s.kept[at] = true
			}
		}
	}
	for i, h := range p.hosts {
		s.otherwise = "nothing of it is in the cluster file"
		if i > 0 {
			s.otherwise = fmt.Sprintf(notSo, p.base.host.name)
		}
		for _, one := range h.top {
			s.look("", one)
		}
	}
	p.notes.Lose(s.takes)
	for _, h := range p.hosts {
		p.unread(&s, h.top)
	}
	for _, h := range p.hosts {
		for _, one := range h.top {
			if _, lost := s.takes[one.Place]; !lost && (one.Word == inVRRP || one.Word == inGroup) {
				p.emptied(&s, one)
			}
		}
	}
}

// unread tells of the lines of lists in lost blocks, which nobody has looked at.
func (p *pair) unread(s *settling, blocks []*Statement) {
	for _, block := range blocks {
		if block.Word == inAddresses {
			p.unserved(s, block)
		}
		for _, list := range block.Block {
			if !slices.Contains(lists, list.Word) {
				continue
			}
			for _, line := range list.Block {
				keyword := in(block.Word, list.Word)
				if _, lost := s.takes[line.Place]; lost && !p.notes.Told(line.Place, keyword) {
					p.notes.Dropped(line.Place, keyword, notWith)
				}
			}
		}
	}
}

// unserved tells of the lines of a virtual_server_group of which no service comes.
func (p *pair) unserved(s *settling, group *Statement) {
	for _, line := range group.Block {
		if loss := s.takes[line.Place]; loss.Text != "" && line.Word != "fwmark" {
			p.notes.Dropped(line.Place, inAddresses, "%s: %s", line, loss.Text)
		}
	}
}

// emptied tells of lists in a block of which no line comes to anything: what each came to instead was said of it.
func (p *pair) emptied(s *settling, block *Statement) {
	for _, list := range block.Block {
		if !slices.Contains(lists, list.Word) || slices.ContainsFunc(list.Block, func(l *Statement) bool { return s.kept[l.Place] }) {
			continue
		}
		fate, text, keyword := Dropped, "none of its lines is", in(block.Word, list.Word)
		for _, l := range list.Block {
			if !p.notes.Missed(l.Place, keyword) {
				fate, text = Carried, "nothing more than its lines say"
			}
		}
		p.notes.Instead(fate, list.Place, keyword, "%s", text)
	}
}

// look finds what is lost in a statement, itself included.
func (s *settling) look(block string, one *Statement) {
	part := slices.Contains(parts[block], one.Word) || block == inAddresses
	switch {
	case s.kept[one.Place]:
	case part:
		s.take(one.Place, imported.Loss{Keyword: in(block, one.Word), Text: s.reason(block, one)})
		s.within(one, true)
		return
	case (len(one.Block) > 0 || block == "") && s.lost(block, one):
		s.take(one.Place, imported.Loss{}) // the reason is there
		s.within(one, false)
		return
	}
	if part {
		s.timing(one)
	}
	for _, inner := range one.Block {
		if slices.Contains(things, inner.Word) || slices.Contains(parts[one.Word], inner.Word) || one.Word == inAddresses {
			s.look(one.Word, inner)
		}
	}
}

// reason is what there is to say of a part that is not in the cluster file: nothing, if it was said.
func (s *settling) reason(block string, one *Statement) string {
	why, ok := s.why[one.Place]
	switch {
	case len(s.told[one.Place]) > 0:
		return ""
	case ok:
		return why
	case one.Word == inAddresses:
		return "no virtual_server is of it, and keepalived serves nothing there either"
	case one.Word == "sorry_server":
		return "another one counts"
	}
	return s.otherwise
}

// timing tells of what a kept block says of checks, and no check has.
func (s *settling) timing(block *Statement) {
	for _, one := range block.Block {
		of := timing[one.Word]
		if of == nil || s.kept[one.Place] || slices.Contains(s.told[one.Place], in(block.Word, one.Word)) {
			continue
		}
		checks, kept := s.checks(block, of)
		why, ok := s.why[one.Place]
		switch {
		case ok:
			s.take(one.Place, imported.Loss{Text: why})
		case checks == 0:
			s.notes.Instead(Carried, one.Place, in(block.Word, one.Word), "nothing: there is no check that it is of")
		case kept == 0:
			s.take(one.Place, imported.Loss{Text: "no check that it is of is carried over"})
		default:
			s.notes.Instead(Carried, one.Place, in(block.Word, one.Word), "nothing: what is said behind it or in its checks counts, as in keepalived")
		}
	}
}

// checks counts the checks in a block of which a keyword is, and those that are in the cluster file.
func (s *settling) checks(block *Statement, of func(fsm.CheckKind) bool) (all, kept int) {
	count := func(one *Statement) {
		kind, ok := checkKinds[one.Word]
		if ok && !of(kind) || !ok && !slices.Contains(noChecks, one.Word) {
			return
		}
		all++
		if s.kept[one.Place] {
			kept++
		}
	}
	count(block)
	for _, one := range block.Block {
		count(one)
		if one.Word == inServer {
			for _, check := range one.Block {
				count(check)
			}
		}
	}
	return all, kept
}

// lost reports whether it was said of a block itself that it is not carried over.
func (s *settling) lost(block string, one *Statement) bool {
	return slices.ContainsFunc(s.told[one.Place], func(keyword string) bool {
		return keyword == in(block, one.Word) || block == "" && slices.Contains(blockKinds, keyword)
	})
}

// within has all lost that is in a block; own if of what is said of each the row of its keyword is all that is to be said.
func (s *settling) within(block *Statement, own bool) {
	for _, one := range block.Block {
		loss, keyword := imported.Loss{Text: notWith}, in(block.Word, one.Word)
		if slices.Contains(s.told[one.Place], keyword) {
			loss.Text = "" // the reason is there
		}
		if own {
			loss.Keyword = keyword
		}
		s.take(one.Place, loss)
		s.within(one, own)
	}
}

func (s *settling) take(at Place, loss imported.Loss) {
	if _, ok := s.takes[at]; !ok {
		s.takes[at] = loss
	}
}
