package placement

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// MoveWanted is a move that a person asks for.
type MoveWanted struct {
	Group  string
	To     string
	Force  bool   // whatever it lacks, as long as it can own the group
	Reason string // who asks
	Exists bool   // the group is in the configuration
	Log    fsm.Ownership
	Role   fsm.Role // of To; empty: it is no member
	Views  []View
}

// MoveAnswer is what is to be done about a [MoveWanted]. Exactly one field is set, but for a move that is under way
// already: there is nothing to do then but to wait for it.
type MoveAnswer struct {
	There  bool   // To owns the group already
	Refuse string // why it is not moved
	Move   *fsm.SetIntent
}

// MayMove decides about a move that a person asks for. Force overrules what the director lacks - it is not ready, it has too
// few of the connections, it is cut off on a segment, which it finds itself when it takes the group - and never what would keep it
// from owning the group at all.
func MayMove(w MoveWanted) MoveAnswer {
	v := find(w.Views, w.To)
	switch {
	case !w.Exists:
		return MoveAnswer{Refuse: fmt.Sprintf("there is no group %s: `quorate status` lists them", w.Group)}
	case w.Role == "":
		return MoveAnswer{Refuse: fmt.Sprintf("%s is no member: `quorate members` lists them", w.To)}
	case w.Role != fsm.RoleDirector || v == nil:
		return MoveAnswer{Refuse: fmt.Sprintf("%s is a %s, which owns nothing", w.To, w.Role)}
	case v.Active && onlyActive(w.Views):
		return MoveAnswer{There: true}
	case w.Log.Intent != nil && w.Log.Intent.To != w.To:
		return MoveAnswer{Refuse: fmt.Sprintf("%s is moving to %s just now (%s): ask again when that is over", w.Group, w.Log.Intent.To, w.Log.Intent.Reason)}
	case w.Log.Intent != nil:
		return MoveAnswer{}
	case w.Log.Owner == "" && unable(*v) != "":
		return MoveAnswer{Refuse: fmt.Sprintf("nobody owns %s yet, and %s", w.Group, unable(*v))}
	case w.Log.Owner == "":
		return MoveAnswer{Refuse: fmt.Sprintf("nobody owns %s yet, so there is nothing to move", w.Group)}
	case w.Log.Owner == w.To:
		return MoveAnswer{Refuse: fmt.Sprintf("%s is to own %s already, and does not serve it: `quorate status` says why", w.To, w.Group)}
	}
	if why := unable(*v); why != "" {
		return MoveAnswer{Refuse: why}
	}
	if unserved(w.Log.Owner, w.Views) {
		return MoveAnswer{Refuse: fmt.Sprintf("nobody serves %s yet, so there is nothing to move: ask again once `quorate status` names its owner", w.Group)}
	}
	if !v.Ready && !w.Force {
		return MoveAnswer{Refuse: fmt.Sprintf("%s is not ready: %s; --force moves it all the same", w.To, v.Why)}
	}
	return MoveAnswer{Move: &fsm.SetIntent{Group: w.Group, Intent: fsm.Intent{
		To: w.To, Epoch: w.Log.Epoch + 1, Reason: w.Reason, Forced: w.Force,
	}}}
}

// unserved reports whether nobody serves a group, as after a start of all directors: whom the log names answers, and its router
// has not become Active, and nobody else says or hears anything else.
func unserved(owner string, views []View) bool {
	o := find(views, owner)
	if o == nil || !o.Alive || o.Gone != "" || o.Yielded == "" {
		return false
	}
	return !slices.ContainsFunc(views, func(v View) bool { return v.Alive && (v.Active || v.Hears != "") })
}

// unable says why a director cannot own a group, ready or not, or is empty.
func unable(v View) string {
	switch {
	case v.Gone != "":
		return v.Name + " " + v.Gone
	case !v.Alive:
		return v.Name + " does not answer"
	case v.Draining:
		return fmt.Sprintf("%s drains: `quorate enable director %s` ends that", v.Name, v.Name)
	case v.Fault != "":
		return fmt.Sprintf("%s cannot own it: %s", v.Name, v.Fault)
	case v.Unfit != "":
		return fmt.Sprintf("%s may not own it: %s", v.Name, v.Unfit)
	}
	return ""
}

// Unable says why the director could not take the group now, or is empty.
func (v View) Unable() string {
	if why := unable(v); why != "" || v.Ready {
		return why
	}
	return v.Name + " is not ready: " + v.Why
}

// onlyActive reports whether one director at most says that it owns the group.
func onlyActive(views []View) bool {
	n := 0
	for _, v := range views {
		if v.Alive && v.Active {
			n++
		}
	}
	return n <= 1
}
