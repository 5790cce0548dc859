package sim

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Mutant is a part of the system that is switched off, to see that the simulation finds that.
type Mutant string

// The mutants.
const (
	Nothing     Mutant = ""
	Guard       Mutant = "guard"                  // a Backup that hears nobody asks nobody
	Epoch       Mutant = "epoch"                  // nobody tells of epochs, and the log takes what is of an old one
	StallGuard  Mutant = "stall guard"            // a keeper that was frozen goes on as if nothing were
	Lifetime    Mutant = "lifetime"               // addresses that nobody renews stay
	Hold        Mutant = "hold"                   // a Backup's timer is never held
	GroupRule   Mutant = "group rule"             // each router moves alone
	AnswerFirst Mutant = "answer before yielding" // a claim does not wait for the owner's answer
	TieSpacing  Mutant = "tie spacing"            // all standbys have the same priority
	News        Mutant = "news"                   // a Backup that hears nobody does not see that another takes the group
	Unasking    Mutant = "unasking"               // a keeper whose control is away asks nobody before it takes
)

// Abdication is one that a test of its own finds: scenarios would take thousands.
const Abdication Mutant = "abdication" // a leader that hears no majority leads on

// Mutants are those that scenarios find.
var Mutants = []Mutant{Guard, Epoch, StallGuard, Lifetime, Hold, GroupRule, AnswerFirst, TieSpacing, News, Unasking}

func (w *world) without(m Mutant) bool { return w.layout.without == m }

// wrap returns a machine that lacks what the world's mutant lacks.
func wrap(w *world, m *ownership.Machine) machine {
	switch {
	case w.without(Guard):
		return deaf{m}
	case w.without(Epoch):
		return timeless{m}
	case w.without(News):
		return &unread{Machine: m}
	}
	return m
}

// deaf is a machine that is never told that its owner is silent.
type deaf struct{ *ownership.Machine }

func (m deaf) Step(now time.Time, f ownership.Facts, ev ownership.Event) []ownership.Action {
	for i := range f.Keeper.Routers {
		f.Keeper.Routers[i].Silent = false
	}
	return m.Machine.Step(now, f, ev)
}

// timeless is a machine that is told no epoch by others: each goes by its own log.
type timeless struct{ *ownership.Machine }

func (m timeless) Step(now time.Time, f ownership.Facts, ev ownership.Event) []ownership.Action {
	switch e := ev.(type) {
	case ownership.Done:
		e.Word.Epoch, e.Word.Named = 0, ""
		ev = e
	case ownership.Asked:
		if e.Kind == ownership.Attest {
			e.Epoch, e.Named = 0, ""
		}
		ev = e
	}
	return m.Machine.Step(now, f, ev)
}

// unread is a machine that is not told, while its owner is silent, that another has taken the group since: neither by a report
// nor by the log. What it asks is answered.
type unread struct {
	*ownership.Machine
	silent bool
	log    fsm.Ownership
	owners []string
}

func (m *unread) Step(now time.Time, f ownership.Facts, ev ownership.Event) []ownership.Action {
	was := m.silent
	m.silent = slices.ContainsFunc(f.Keeper.Routers, func(r ownership.Router) bool { return r.Silent })
	if !was {
		m.log, m.owners = f.Log, nil
	}
	for i, o := range f.Members {
		switch {
		case o.Part != ownership.Owner:
		case !was:
			m.owners = append(m.owners, o.Name)
		case m.silent && !slices.Contains(m.owners, o.Name):
			f.Members[i].Part = ownership.Standby
		}
	}
	if m.silent {
		f.Log = m.log
	}
	return m.Machine.Step(now, f, ev)
}

// anyEpoch makes a command of an old epoch one of the newest.
func anyEpoch(s *fsm.State, cmd fsm.Command) fsm.Command {
	switch c := cmd.(type) {
	case fsm.SetOwner:
		c.Epoch = s.Groups[c.Group].Epoch + 1
		return c
	case fsm.SetIntent:
		c.Intent.Epoch = s.Groups[c.Group].Epoch + 1
		return c
	}
	return cmd
}
