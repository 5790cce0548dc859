package ownership

import "slices"

// side returns the directors on this side of the segment of each router that is silent here, this one included; nil for
// a router on which the owner is heard.
func (s *step) side() [][]string {
	reaches := s.reaches()
	side := make([][]string, len(s.Keeper.Routers))
	for i, r := range s.Keeper.Routers {
		if r.Silent && reaches != nil {
			side[i] = s.directors(reaches[i])
		}
	}
	return side
}

// directors are those of some names that are directors, and this one.
func (f Facts) directors(names []string) []string {
	all := []string{f.Self}
	for _, m := range f.Members {
		if !m.Witness && slices.Contains(names, m.Name) {
			all = append(all, m.Name)
		}
	}
	return all
}

// smaller returns a router whose segment is cut in two, with fewer directors on this owner's side than on the asker's, if
// only one of the sides is to have an owner: because the group has another segment, which joins them, or because it is
// set so. -1 if there is none. Where anybody is on both sides, the segment is not cut, but something between the two is.
func (s *step) smaller(q Asked, segments map[string]Segment) int {
	if len(q.Side) != len(s.Keeper.Routers) {
		return -1 // it knows of another configuration, or it cannot tell
	}
	reaches := s.reaches()
	if reaches == nil {
		return -1
	}
	found, joined := -1, s.OneSide
	for i, r := range s.Keeper.Routers {
		_, asked := segments[r.Name]
		own := s.directors(reaches[i]) // as who asks counts its own: one that answers late is there
		switch {
		case len(q.Side[i]) == 0 || slices.ContainsFunc(own, func(name string) bool { return slices.Contains(q.Side[i], name) }):
			joined = true
		case asked && len(own) > len(q.Side[i]):
			return -1
		case asked && len(own) < len(q.Side[i]):
			found = i
		}
	}
	if !joined {
		return -1
	}
	return found
}
