package config

// blockKinds are the parts of routers and sync groups, in the order of a plan.
var blockKinds = []Kind{KindPeer, KindAuth, KindRoute, KindRule, KindPlacement, KindDirector, KindRequire, KindPrefer, KindHook}

// diffBlocks appends what differs between the parts of a router or a sync group.
func diffBlocks(changes []Change, kind Kind, name string, before, after []block) []Change {
	var orders []order
	for _, list := range []struct {
		name  string
		kinds []Kind
	}{
		{"peers", []Kind{KindPeer}}, {"routes", []Kind{KindRoute}}, {"rules", []Kind{KindRule}},
		{"require and prefer", []Kind{KindRequire, KindPrefer}}, {"hooks", []Kind{KindHook}},
	} {
		orders = append(orders, order{list.name, blockThings("", before, list.kinds...), blockThings("", after, list.kinds...)})
	}
	changes = orderChanges(changes, kind, name, orders)
	for _, k := range blockKinds {
		changes = diffThings(changes, k, blockThings(name, before, k), blockThings(name, after, k))
	}
	return changes
}

// blockThings returns the blocks of some kinds. Where it is asked for more than one kind, their names begin with the kind.
func blockThings(owner string, all []block, kinds ...Kind) (some []thing) {
	seen := make(map[string]int)
	for _, b := range all {
		for _, k := range kinds {
			if b.kind != k {
				continue
			}
			label := b.label
			if b.kind == KindRule {
				label = b.attrs[0].value // its priority
			}
			if len(kinds) > 1 {
				label = string(k) + " " + label
			}
			some = append(some, thing{numbered(owner+"/"+label, seen), b.attrs})
		}
	}
	return some
}
