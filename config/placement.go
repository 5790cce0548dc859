package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// placementSchemas are the blocks in which a group says where it should be.
func placementSchemas() []*schema {
	return []*schema{
		{name: "placement", labels: []string{"policy"}, keys: []string{"directors", "hold"}},
		{name: "director", labels: []string{"director"}, keys: []string{"score"}},
	}
}

// placementKeys names, for each policy, the keys that mean something to it.
var placementKeys = map[fsm.Policy][]string{
	fsm.Sticky: {},
	fsm.Leader: {"hold"},
	fsm.Spread: {"hold"},
	fsm.Pinned: {"directors", "hold"},
	fsm.Score:  {"hold"},
}

var (
	directorSpan = span{1, 254} // keepalived's priorities
	holdPeriod   = period{time.Millisecond, 24 * time.Hour, time.Millisecond}
)

// placement reads the placement and director blocks.
func (n *node) placement() fsm.Placement {
	p := fsm.Placement{
		OnQuorumLoss: fsm.QuorumLoss(n.word("on_quorum_loss", "", fsm.QuorumLosses)),
		OnSegmentCut: fsm.SegmentCut(n.word("on_segment_cut", "", fsm.SegmentCuts)),
	}
	for _, b := range n.blocks {
		switch b.Type {
		case "placement":
			n.policy(b, &p)
		case "director":
			n.director(b, &p)
		}
	}
	return p
}

// policy reads a placement block, of which a group has one at most.
func (n *node) policy(b *hcl.Block, p *fsm.Placement) {
	policy, at := fsm.Policy(b.Labels[0]), b.LabelRanges[0].Start
	path := n.path + ".placement"
	if n.second(b, path) {
		return
	}
	m := n.node(n.schema.block("placement"), b.Body, place{path: path, at: at, what: fmt.Sprintf("%s, placement %q", n.what, policy)})
	keys, ok := placementKeys[policy]
	if !ok {
		m.report("", at, hintValue(string(policy), fsm.Policies), "%s: unknown policy %q", n.what, policy)
		return
	}
	m.only(keys)
	if policy == fsm.Pinned {
		m.require("directors", `["DIRECTOR", "DIRECTOR"]`)
	}
	p.Policy, p.Directors, p.Hold = policy, m.texts("directors"), m.orNone("hold", "to move at once", fmt.Sprintf("0s to %s", formatDuration(holdPeriod.max)))
}

// director reads a director block.
func (n *node) director(b *hcl.Block, p *fsm.Placement) {
	name := b.Labels[0]
	at := place{path: fmt.Sprintf("%s.placement.scores[%q]", n.path, name), what: n.what + ", director " + name, at: b.LabelRanges[0].Start}
	if first, ok := n.where[at.path]; ok {
		n.report("", at.at, first.seen(n.file), "%s is there twice", at.what)
		return
	}
	m := n.node(n.schema.block("director"), b.Body, at)
	m.require("score", "100")
	put(&p.Scores, name, int(m.integer("score", 0, directorSpan)))
}

func canonicalPlacement(p fsm.Placement) fsm.Placement {
	orEmpty(&p.Policy, fsm.Sticky)
	orEmpty(&p.OnQuorumLoss, fsm.HoldOn)
	orEmpty(&p.OnSegmentCut, fsm.EachSide)
	p.Directors, p.Scores = listed(p.Directors), cloned(p.Scores)
	orEmpty(&p.Hold, p.Policy.DefaultHold())
	if p.Hold < 0 {
		p.Hold = none
	}
	return p
}

// troubleAttrs are the keys about quorum loss and cut segments, which stand outside of the placement block.
func troubleAttrs(p fsm.Placement) []attr {
	return []attr{
		textAttr("on_quorum_loss", string(p.OnQuorumLoss)).or(quote(string(fsm.HoldOn))),
		textAttr("on_segment_cut", string(p.OnSegmentCut)).or(quote(string(fsm.EachSide))),
	}
}

func placementAttrs(p fsm.Placement) []attr {
	return []attr{
		listAttr("directors", p.Directors),
		durationAttr("hold", p.Hold).or(quote(formatDuration(p.Policy.DefaultHold()))),
	}
}

// placementBlocks returns what a group says of its place, for [Format] and for [Diff].
func placementBlocks(p fsm.Placement) []block {
	var all []block
	if p.Policy != "" {
		all = append(all, block{KindPlacement, string(p.Policy), placementAttrs(p)})
	}
	for name, score := range sorted(p.Scores) {
		all = append(all, block{KindDirector, name, []attr{numberAttr("score", score)}})
	}
	return all
}

// placement checks where a group is wished to be.
func (o object) placement(p fsm.Placement) {
	policy := p.Policy
	orDefault(&policy, fsm.Sticky)
	child := object{o.validator, o.path + ".placement", fmt.Sprintf("%s, placement %q", o.what, policy)}
	keys, ok := placementKeys[policy]
	if !ok {
		o.wrong(".placement", hintValue(string(policy), fsm.Policies), "unknown policy %q", policy)
		return
	}
	if p.OnQuorumLoss != "" {
		o.among("on_quorum_loss", string(p.OnQuorumLoss), fsm.QuorumLosses)
	}
	if p.OnSegmentCut != "" {
		o.among("on_segment_cut", string(p.OnSegmentCut), fsm.SegmentCuts)
	}
	if !slices.Contains(keys, "hold") && p.Hold != 0 {
		child.wrong(".hold", "leave it out", "hold means nothing to it")
	}
	if p.Hold > 0 {
		child.lasts("hold", p.Hold, holdPeriod)
	}
	switch pinned := policy == fsm.Pinned; {
	case !pinned && len(p.Directors) > 0:
		child.wrong(".directors", `use placement "pinned"`, "directors means nothing to it")
	case pinned && len(p.Directors) == 0:
		child.wrong(".directors", `name them, the best first, as in directors = ["lb1", "lb2"]`, "has no directors")
	}
	for i, name := range p.Directors {
		field := fmt.Sprintf(".directors[%d]", i)
		switch first := slices.Index(p.Directors, name); {
		case !validName(name):
			child.wrong(field, `the name of a director, as in "lb1"`, "%q is not the name of a director", name)
		case first != i:
			child.clash(field, fmt.Sprintf("%s.directors[%d]", child.path, first), "", "%s is there twice", name)
		}
	}
	for name, score := range sorted(p.Scores) {
		c := object{o.validator, fmt.Sprintf("%s.placement.scores[%q]", o.path, name), o.what + ", director " + name}
		if !validName(name) {
			c.wrong("", `the name of a director, as in "lb1"`, "%q is not the name of a director", name)
		}
		c.within("score", int64(score), directorSpan)
	}
}

// scoreless warns of a group that is placed by score where nothing gives a score: it never moves.
func (o object) scoreless(p fsm.Placement, needs ...fsm.Needs) {
	prefers := func(n fsm.Needs) bool {
		return slices.ContainsFunc(n.Uses, func(u fsm.Use) bool { return !u.Require })
	}
	if p.Policy == fsm.Score && len(p.Scores) == 0 && !slices.ContainsFunc(needs, prefers) {
		o.doubt(".placement", `add director "NAME" { score = 100 } or prefer "TRACK"`, "placement %q: no director has a score and no track is preferred, so that nothing moves", p.Policy)
	}
}

// ownPlacement checks that a router in a sync group says nothing of its place: it has none of its own.
func (o object) ownPlacement(field string, r fsm.Router, group string) {
	hint, path := fmt.Sprintf("say it in sync_group %q: its routers move together", group), fmt.Sprintf("routers[%q]", r.Name)
	if p := r.Placement; p.Policy != "" || len(p.Directors) > 0 || p.Hold != 0 {
		o.clash(field, path+".placement", hint, "router %q has a placement of its own", r.Name)
	}
	for name := range sorted(r.Placement.Scores) {
		o.clash(field, fmt.Sprintf("%s.placement.scores[%q]", path, name), hint, "router %q has a score of director %s of its own", r.Name, name)
	}
	if r.Placement.OnQuorumLoss != "" {
		o.clash(field, path+".on_quorum_loss", hint, "router %q has an on_quorum_loss of its own", r.Name)
	}
	if r.Placement.OnSegmentCut != "" {
		o.clash(field, path+".on_segment_cut", hint, "router %q has an on_segment_cut of its own", r.Name)
	}
}
