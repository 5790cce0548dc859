package ownership

import "fmt"

// Word is what one other member says of a group when it is asked, and how it is reached on the segment of
// a router on which a Backup hears nobody.
type Word struct {
	Name    string
	Answers bool   // it answered the question
	Owns    bool   // it says that it owns the group; or it did not answer, and its adverts arrive on another router
	Hears   string // the member that it hears on that segment now, "" for none
	Reached bool   // its own address answers on the segment
	Serves  bool   // the group's address is answered there by its MAC
	Suspect bool   // it was found to be cut off the last time
	Able    bool   // it could own the group by its last report, and has an address on the segment that is asked for
}

// near orders owners, each on a side of its own: the one on this side counts. Of those that are cut off the one does that was the
// last time: its successors have let their time pass, though another is found to own the group by now.
func (w Word) near() int {
	switch {
	case w.Serves:
		return 3
	case w.Reached:
		return 2
	case w.Suspect:
		return 1
	}
	return 0
}

// Choice is what a Backup that hears nobody is to do.
type Choice uint8

// The choices.
const (
	Take    Choice = iota // let the timer run, as the standard says
	Hold                  // stay Backup: somebody serves, though its adverts do not pass
	Linger                // stay Backup for now: the kernel of an owner whose agent is silent serves until its addresses end
	CutOff                // stay Backup: this director is the one that is cut off
	Relieve               // the owner is cut off: it is to let go, and the first successor claims
)

// Guarding is a choice, with its reason.
type Guarding struct {
	Choice Choice
	Owner  string // who owns, as it says or advertises on another router; "" if nobody does
	Reason string
}

// Guard decides for one router of a group that is Backup here and hears nobody. Gateway says that the
// configured gateway answers on the segment. It is asked for each router that hears nobody; [Worst] is
// what the group does.
func Guard(words []Word, gateway bool) Guarding {
	answers, reached, owner, mute, able := 0, 0, Word{}, "", ""
	for _, w := range words {
		if w.Answers {
			answers++
		}
		if w.Reached {
			reached++
		}
		if w.Owns && (owner.Name == "" || w.near() > owner.near()) {
			owner = w
		}
		if w.Answers && w.Able && able == "" {
			able = w.Name
		}
		if w.Serves && !w.Owns {
			mute = w.Name
		}
	}
	switch {
	case owner.Name == "" && mute != "":
		return Guarding{Linger, mute, "the kernel of " + mute + " answers on the segment, and its keeper does not"}
	case answers == 0:
		return Guarding{Take, "", "no member answers"}
	case owner.Name == "" && reached == 0 && !gateway && able != "":
		return Guarding{CutOff, "", "neither a member nor a gateway is reached on the segment, and " + able + " could own it"}
	case owner.Name == "":
		return Guarding{Take, "", "no member owns it"}
	case owner.Reached && !owner.Serves:
		return Guarding{Hold, owner.Name, owner.Name + " owns it and is reached on the segment, though another answers for the address"}
	case owner.Serves:
		return Guarding{Hold, owner.Name, owner.Name + " owns it and answers on the segment, but its adverts do not arrive"}
	}
	for _, w := range words {
		switch {
		case w.Hears != owner.Name || w.Name == owner.Name:
		case reached == 0 && !gateway: // as where it is alone with the owner: its own port is to be looked at, not what is filtered
			return Guarding{Hold, owner.Name, fmt.Sprintf("neither a member nor a gateway is reached on the segment, and %s owns it: %s hears it there", owner.Name, w.Name)}
		default:
			return Guarding{Hold, owner.Name, fmt.Sprintf("%s owns it and %s hears it, but its adverts do not arrive here", owner.Name, w.Name)}
		}
	}
	if reached == 0 && !gateway {
		return Guarding{CutOff, owner.Name, "neither a member nor a gateway is reached on the segment, and " + owner.Name + " owns it"}
	}
	return Guarding{Relieve, owner.Name, owner.Name + " owns it, and nobody reaches it on the segment"}
}

// owns reports whether a member owns the group by what was said in a survey: as it says itself, or, where it cannot be asked, by
// its adverts that arrive on another router.
func (s *step) owns(said map[string]Attestation, member string) bool {
	word, answers := said[member]
	return word.Owns || !answers && s.hearsSome(member)
}

// unasked decides for a router whose segment could not be asked: who owns the group is believed to serve there.
func (s *step) unasked(said map[string]Attestation) Guarding {
	for _, m := range s.Members {
		if s.owns(said, m.Name) {
			return Guarding{Hold, m.Name, m.Name + " owns it, and the segment cannot be asked"}
		}
	}
	return Guarding{Take, "", "no member owns it"}
}

// Worst joins the decisions for several routers of a group. Who is cut off on one segment could not serve
// on it; an owner that is cut off on one does not serve there, whatever it does on others.
func Worst(all []Guarding) Guarding {
	var out Guarding
	weight := map[Choice]int{Take: 0, Linger: 1, Hold: 2, Relieve: 3, CutOff: 4}
	for i, g := range all {
		if i == 0 || weight[g.Choice] > weight[out.Choice] {
			out = g
		}
	}
	return out
}
