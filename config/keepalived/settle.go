package keepalived

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/config"
)

// notWith is what is said of what is in a block that is lost.
const notWith = "it goes with the block that it is in"

// blockKinds are what a block of keepalived's may be told of as: blocks of a cluster file.
var blockKinds = []string{string(config.KindRouter), string(config.KindSyncGroup), string(config.KindTrack), string(config.KindService)}

// things are the blocks in blocks, beside checks, that are carried over or not by themselves.
var things = []string{"real_server", "authentication", "auth_hmac"}

// lists are blocks whose lines are carried over or not by themselves.
var lists = []string{"track_interface", "track_script", "track_file", "track_process", "virtual_routes", "virtual_rules"}

// settling finds the blocks that are not carried over.
type settling struct {
	kept  map[Place]bool     // blocks of which something is in the cluster file
	told  map[Place][]string // keywords that are not carried over
	takes map[Place]string   // what is lost, and what there is to say of it
}

// settle takes back that something is carried over whose block is not. Each line is told of when it is read, and
// whether its block is of use shows when all are.
func (p *pair) settle() {
	s := settling{kept: make(map[Place]bool), told: p.notes.Lost(), takes: make(map[Place]string)}
	for _, m := range p.models {
		maps.Copy(s.kept, m.serves)
		for t, at := range m.places {
			if _, ok := p.base.places[t]; ok {
				s.kept[at] = true
			}
		}
	}
	for _, h := range p.hosts {
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

// look finds the lost blocks in a statement, itself included.
func (s *settling) look(block string, one *Statement) {
	if len(one.Block) > 0 && !s.kept[one.Place] && s.lost(block, one) {
		s.take(one.Place, "") // the reason is there
		s.within(one)
		return
	}
	for _, inner := range one.Block {
		if slices.Contains(things, inner.Word) || checkKinds[inner.Word] != "" {
			s.look(one.Word, inner)
		}
	}
}

// lost reports whether it was said of a block itself that it is not carried over.
func (s *settling) lost(block string, one *Statement) bool {
	return slices.ContainsFunc(s.told[one.Place], func(keyword string) bool {
		return keyword == in(block, one.Word) || block == "" && slices.Contains(blockKinds, keyword)
	})
}

// within has all lost that is in a block.
func (s *settling) within(block *Statement) {
	for _, one := range block.Block {
		text := notWith
		if slices.Contains(s.told[one.Place], in(block.Word, one.Word)) {
			text = "" // the reason is there
		}
		s.take(one.Place, text)
		s.within(one)
	}
}

func (s *settling) take(at Place, text string) {
	if _, ok := s.takes[at]; !ok {
		s.takes[at] = text
	}
}
