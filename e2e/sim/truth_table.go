package sim

import (
	"fmt"
	"slices"
	"strings"
)

// Row is what is to become of a situation, for each thing that may be done without quorum. Where it depends on who
// is first, both outcomes are named, with "or" between them.
type Row struct {
	Situation
	Hold, Yield, Drop string
	Healed            string // with hold
	Why               string
}

// Truth is the truth table: what becomes of an address when its segment, the cluster's traffic or both are cut.
var Truth = []Row{
	{Situation{Whole, Open, false}, "owner", "owner", "owner", "owner", "nothing is wrong"},
	{Situation{Whole, Open, true}, "owner", "owner", "owner", "owner", "nothing is wrong"},
	{Situation{Whole, Few, false}, "owner", "owner or another", "nobody", "owner", "without a quorum nobody takes from who serves"},
	{Situation{Whole, OwnerCut, false}, "another", "another", "another", "another", "its adverts are heard: the quorum claims from it after the grace, with no loss"},
	{Situation{Whole, OwnerCut, true}, "another", "another", "another", "another", "its adverts are heard: the quorum claims from it after the grace, with no loss"},
	{Situation{Whole, OthersCut, false}, "owner", "owner", "owner", "owner", "the owner has the quorum and is heard"},
	{Situation{Whole, OthersCut, true}, "owner", "owner", "owner", "owner", "the owner has the quorum and is heard"},
	{Situation{Whole, AllCut, false}, "owner", "another", "nobody", "owner", "without a quorum nobody takes from who serves; who yields does so once"},
	{Situation{Whole, AllCut, true}, "owner", "another", "nobody", "owner", "without a quorum nobody takes from who serves; who yields does so once"},

	{Situation{Deaf, Open, false}, "owner", "owner", "owner", "owner", "the others ask, and the owner's kernel answers: they hold, and an alarm names the path"},
	{Situation{Deaf, Open, true}, "owner", "owner", "owner", "owner", "the others ask, and the owner's kernel answers: they hold, and an alarm names the path"},
	{Situation{Deaf, Few, false}, "owner", "owner or another", "nobody", "owner", "the successor asks, quorum or not"},
	{Situation{Deaf, OwnerCut, false}, "owner and another", "another", "another", "another", "no path is left between the two; at the heal the side with the quorum stays"},
	{Situation{Deaf, OwnerCut, true}, "owner and another", "another", "another", "another", "no path is left between the two; at the heal the side with the quorum stays"},
	{Situation{Deaf, OthersCut, false}, "owner and another", "owner", "owner", "owner", "no path is left between the two; at the heal the side with the quorum stays"},
	{Situation{Deaf, OthersCut, true}, "owner and another", "owner", "owner", "owner", "no path is left between the two; at the heal the side with the quorum stays"},
	{Situation{Deaf, AllCut, false}, "owner and another or each", "owner and another or another or each", "nobody", "owner or another", "no path is left between any; without a quorum the last owner goes first"},
	{Situation{Deaf, AllCut, true}, "owner and another", "owner and another", "nobody", "owner or another", "no path is left between any; without a quorum the last owner goes first"},

	{Situation{Parts, Open, false}, "owner and another", "owner and another", "owner and another", "owner", "an owner on each side: its clients reach nobody else"},
	{Situation{Parts, Open, true}, "owner", "owner", "owner", "owner", "the successor reaches neither a member nor the gateway: it is the one that is cut off"},
	{Situation{Parts, Few, false}, "owner", "owner", "nobody", "owner", "the successor is the one that is cut off: who yields does so once, and takes again"},
	{Situation{Parts, OwnerCut, false}, "owner and another", "owner and another", "another", "another", "an owner on each side; at the heal the side with the quorum stays"},
	{Situation{Parts, OwnerCut, true}, "owner and another", "owner and another", "another", "another", "an owner on each side; at the heal the side with the quorum stays"},
	{Situation{Parts, OthersCut, false}, "owner and another", "owner and another", "owner and another", "owner", "an owner on each side; at the heal the side with the quorum stays"},
	{Situation{Parts, OthersCut, true}, "owner and another", "owner and another", "owner", "owner", "nobody answers the successor: it takes, as the standard says"},
	{Situation{Parts, AllCut, false}, "owner and another", "owner and another", "nobody", "owner or another", "an owner on each side; without a quorum the last owner goes first"},
	{Situation{Parts, AllCut, true}, "owner and another", "owner and another", "nobody", "owner or another", "an owner on each side; without a quorum the last owner goes first"},

	{Situation{Alone, Open, false}, "another", "another", "another", "another", "the owner serves nobody where it is: it is told to let go"},
	{Situation{Alone, Open, true}, "another", "another", "another", "another", "the owner serves nobody where it is: it is told to let go"},
	{Situation{Alone, Few, false}, "another", "another", "nobody", "another", "the owner serves nobody where it is: it is told to let go, quorum or not"},
	{Situation{Alone, OwnerCut, false}, "owner and another", "owner and another", "another", "another", "nobody can tell the owner; at the heal the side with the quorum stays"},
	{Situation{Alone, OwnerCut, true}, "owner and another", "owner and another", "another", "another", "nobody can tell the owner; at the heal the side with the quorum stays"},
	{Situation{Alone, OthersCut, false}, "owner and another or another", "owner and another or another", "owner and another or another", "owner or another", "the third tells the owner to let go, unless the successor took it by its timer and is heard"},
	{Situation{Alone, OthersCut, true}, "owner and another", "owner and another", "owner", "owner", "nobody answers the successor: it takes, as the standard says"},
	{Situation{Alone, AllCut, false}, "owner and another", "owner and another", "nobody", "owner or another", "an owner on each side; without a quorum the last owner goes first"},
	{Situation{Alone, AllCut, true}, "owner and another", "owner and another", "nobody", "owner or another", "an owner on each side; without a quorum the last owner goes first"},

	{Situation{PairParts, Open, false}, "another", "another", "another", "another", "the other segment joins the sides, so one owns both: the side with more directors"},
	{Situation{PairParts, Open, true}, "owner", "owner", "owner", "owner", "the other segment joins the sides, so one owns both: the sides have as many directors, and the owner stays"},
	{Situation{PairParts, Few, false}, "owner", "owner", "nobody", "owner", "the successor is the one that is cut off: who yields does so once, and takes again"},
	{Situation{PairParts, OwnerCut, false}, "another", "another", "another", "another", "its adverts are heard on the other segment: the quorum claims from it after the grace"},
	{Situation{PairParts, OwnerCut, true}, "another", "another", "another", "another", "its adverts are heard on the other segment: the quorum claims from it after the grace"},
	{Situation{PairParts, OthersCut, false}, "another", "another", "another", "another", "the third tells the owner that its side has more directors"},
	{Situation{PairParts, OthersCut, true}, "owner", "owner", "owner", "owner", "the owner has the quorum and is heard on the other segment"},
	{Situation{PairParts, AllCut, false}, "owner", "owner", "nobody", "owner", "without a quorum nobody takes from who is heard"},
	{Situation{PairParts, AllCut, true}, "owner", "owner", "nobody", "owner", "without a quorum nobody takes from who is heard"},

	{Situation{PairAlone, Open, false}, "another", "another", "another", "another", "the owner serves nobody on one segment: it is told to let both go"},
	{Situation{PairAlone, Open, true}, "another", "another", "another", "another", "the owner serves nobody on one segment: it is told to let both go"},
	{Situation{PairAlone, Few, false}, "another", "another", "nobody", "another", "the owner serves nobody on one segment: it is told to let both go, quorum or not"},
	{Situation{PairAlone, OwnerCut, false}, "another", "another", "another", "another", "its adverts are heard on the other segment: the quorum claims from it after the grace"},
	{Situation{PairAlone, OwnerCut, true}, "another", "another", "another", "another", "its adverts are heard on the other segment: the quorum claims from it after the grace"},
	{Situation{PairAlone, OthersCut, false}, "another", "another", "another", "another", "the third tells the owner to let both go"},
	{Situation{PairAlone, OthersCut, true}, "owner", "owner", "owner", "owner", "nobody is left to tell the owner, which is heard on the other segment"},
	{Situation{PairAlone, AllCut, false}, "owner", "owner", "nobody", "owner", "without a quorum nobody takes from who is heard"},
	{Situation{PairAlone, AllCut, true}, "owner", "owner", "nobody", "owner", "without a quorum nobody takes from who is heard"},
}

// TruthOfOneSide is the truth table where one side only is to have an owner, as far as that differs.
var TruthOfOneSide = []struct {
	Situation
	Serves, Healed, Why string
}{
	{Situation{Parts, Open, false}, "another", "another", "the successor's side has more directors"},
	{Situation{Parts, Open, true}, "owner", "owner", "the sides have as many directors, and the owner stays"},
	{Situation{Parts, Few, false}, "owner", "owner", "the sides have as many directors, and the owner stays"},
	{Situation{Parts, OthersCut, false}, "another or owner and another", "another or owner", "the third tells the owner that its side has more directors, unless the successor took it by its timer"},
	{Situation{Parts, OwnerCut, false}, "owner and another", "another", "nobody can tell the owner; at the heal the side with the quorum stays"},
	{Situation{Alone, Open, false}, "another", "another", "the owner serves nobody where it is: it is told to let go"},
	{Situation{Deaf, Open, false}, "owner", "owner", "the segment is not cut"},
}

// allows reports whether a cell has an outcome.
func allows(cell, outcome string) bool {
	return slices.Contains(strings.Split(cell, " or "), outcome)
}

// Document is the truth table as people read it.
func Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for _, r := range Truth {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Segment, r.Port, r.Quorum(), r.third(), r.Hold, r.Yield, r.Drop, r.Healed, r.Why)
	}
	b.WriteString(documentOne)
	for _, r := range TruthOfOneSide {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Segment, r.Port, r.third(), r.Serves, r.Healed, r.Why)
	}
	return b.String()
}

// third is what the third member is.
func (s Situation) third() string {
	switch {
	case s.Port == Few:
		return "dead"
	case s.Witness:
		return "witness"
	}
	return "director"
}

const documentOne = `
With ` + "`on_segment_cut = \"one\"`" + ` a router that is in no sync group has one owner, too, where its segment is cut in two and
the directors of both sides speak to each other. Who is on the other side is reached by nobody then. With hold:

| segment | cluster port | third | who serves | healed | why |
| --- | --- | --- | --- | --- | --- |
`

const documentHead = `# Who owns an address when something is cut

This page is written from the table that the tests of e2e/sim use (` + "`make truth-table`" + `): each cell is played there many
times, with adverts each second and ten times that.

There are an owner, its first successor and a third member, which is a director on the same segment or a witness that has
no port on it; where too few members live there are four, and two of them are dead. The segment that the address is on is
whole, or it loses VRRP between all directors and nothing else, or it is cut in two, with the default gateway on one of the
sides. Of a pair, a sync group of two routers, the other segment is whole. The cluster's traffic is open, or cut at one member, or between all.
"Quorum" says who is in it then. The columns hold, yield and drop are the settings of ` + "`on_quorum_loss`" + `, and say
who answers for the address 29 seconds later, whoever can reach them: the owner, another of the members, an owner and
another on its own, each of them, or nobody. Where it depends on who is first, all outcomes are named. The next column
says who owns it a while after everything has healed, with hold; whatever is set, it is exactly one, and the log names it.

Two that answer for an address are never joined by a segment that is whole and by a path between their agents for longer
than a second.

| segment | cluster port | quorum | third | hold | yield | drop | healed | why |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
`
