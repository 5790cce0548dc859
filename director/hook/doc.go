// Package hook lets programs of the administrator's follow the state of a group on this director: they
// move a cloud's address, start a service, tell a person.
//
// Hooks are about levels and not about edges. What is wanted is a state in an epoch; the hooks of that
// state are run, in order and never two of one group at once, and again until each has succeeded or the
// state is another. What was not begun when the state changed again is skipped. What has been done is
// remembered on disk, so that a restart does nothing twice. So a hook must bear to be run again, and a
// hook that was killed is run again or followed by those of another state.
//
// An owner's hooks are due in every new epoch, and whenever the director was something else in between:
// somebody else's hooks may have run. Those of the other states are due when the director was, or began
// to become, something else.
//
// The package never decides a state, and never holds up who decided it: a failing hook is reported, and
// tried again.
package hook
