package interop

import (
	"fmt"
	"time"
)

// A Result is what an event did to a cell.
type Result struct {
	Cell    Cell
	Event   string
	Silence time.Duration // on the wire, between the two owners' adverts; 0 where that means nothing
	Formula time.Duration // what the standard says it is; 0 where it says nothing
	Gap     time.Duration // the longest time the client had no answer
	Known   time.Duration // until the client's neighbour table was right, from when one host served
	Note    string
	Lapses  string // what the capture shows that explains a moment in which another one owned than should
}

// An Event is something that happens to a stand where both run and the first one owns. It leaves the stand
// as it was.
type Event struct {
	Name string
	// Part says which cells have the event where only a part of the matrix runs.
	Part Part
	// Skip says why a cell does not have the event, or nothing.
	Skip func(*Stand) string
	// Do makes it happen, and tells what came of it. The owner is the first side again at the end.
	Do func(*Stand) ([]Result, error)
}

// A Part is the cells that have an event where only a part of the matrix runs.
type Part int

// The parts, by what the event takes in time.
const (
	All    Part = iota
	Faster      // those below a second
	One         // those at 100 ms
)

// has tells whether a cell is in a part.
func (p Part) has(c Cell) bool {
	switch p {
	case Faster:
		return c.Interval < time.Second
	case One:
		return c.Interval == 100*time.Millisecond
	}
	return true
}

// The names of what the results tell of.
const (
	startEvent     = "the standby starts"
	diesEvent      = "its machine dies"
	killedEvent    = "its process is killed"
	stopsEvent     = "it stops in order"
	linkEvent      = "its link goes down"
	plugEvent      = "its link comes back"
	returnsEvent   = "it returns"
	healsEvent     = "a partition heals"
	priorityEvent  = "a priority changes"
	addressEvent   = "an address comes"
	listsEvent     = "the address lists differ"
	intervalsEvent = "the intervals differ"
)

// Events are all that happens to a cell, in order. The first one starts both sides.
func Events() []Event {
	always := func(*Stand) string { return "" }
	return []Event{
		{"both start", All, always, start},
		{"the owner's machine dies and returns", All, always, crash},
		{"the owner's process is killed", One, quorateFirst, kill},
		{"the owner stops in order and returns", All, always, stop},
		{"the owner's link goes down and up", One, always, link},
		{healsEvent, All, always, partition},
		{"quorate's priority changes", Faster, always, func(s *Stand) ([]Result, error) { return s.reprioritise(s.Quorate) }},
		{"the peer's priority changes", One, always, func(s *Stand) ([]Result, error) { return s.reprioritise(s.Peer) }},
		{"the address list grows and shrinks", Faster, simultaneous, addresses},
		{listsEvent, One, tolerant, mismatch},
		{intervalsEvent, One, always, intervals},
	}
}

// quorateFirst leaves an event to cells in which quorate owns: a keepalived or FRR that is killed on a
// living machine leaves its addresses there for good, and there are two owners.
func quorateFirst(s *Stand) string {
	if s.Cell.Role != Owner {
		return "a " + string(s.Cell.Peer) + " that is killed leaves its addresses in the kernel for good"
	}
	return ""
}

// tolerant leaves an event to cells whose standby accepts adverts with another address list.
func tolerant(s *Stand) string {
	if s.Cell.Role == Owner && s.Cell.Peer == Keepalived {
		return "keepalived 2.2.7 does not accept adverts with another address list than its own"
	}
	return ""
}

// simultaneous leaves an event to cells in which two programs can be told of new lists at the same time.
func simultaneous(s *Stand) string {
	if s.Cell.Peer == Keepalived && s.Cell.Interval < 100*time.Millisecond {
		return "keepalived 2.2.7 does not accept adverts with another address list than its own, and its reload takes longer than three intervals"
	}
	return ""
}

// String is a result in a line.
func (r Result) String() string {
	text := r.Event + ":"
	if r.Silence > 0 {
		text += fmt.Sprintf(" %s ms silence (the standard says %s),", ms(r.Silence), ms(r.Formula))
	}
	text += fmt.Sprintf(" the client had no answer for %s ms", ms(r.Gap))
	if r.Known > 0 {
		text += fmt.Sprintf(", and was right after %s ms", ms(r.Known))
	}
	if r.Note != "" {
		text += "; " + r.Note
	}
	if r.Lapses != "" {
		text += "; " + r.Lapses
	}
	return text
}
