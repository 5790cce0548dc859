package ownership

import "slices"

// toBeat is the priority that a claim must be above: that of the owner that the log names, or of a claim, where who is heard
// on some segment has the group by one. Two claims of the same priority are settled by the higher address: so who is cut off
// on another segment would win for as long as its claim lasts. And nobody yields to less than it advertises, though it was asked.
func (f Facts) toBeat() uint8 {
	owns := f.Keeper.Part == Owner // what it heard last may be of before that
	if slices.ContainsFunc(f.Keeper.Routers, func(r Router) bool { return r.hears() != "" && r.Claims && (!owns || f.recent(r)) }) {
		return ClaimLow
	}
	return OwnerPriority
}
