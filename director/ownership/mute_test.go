package ownership

import "testing"

func TestAnOwnerWhoseControlDoesNotAnswerIsClaimedFromIfItIsHeardOnEveryRouter(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unheard = Mute
	s.wants()
	s.does(claim)
	s.takes()
	s.done(claim, Done{})
	s.does(taken)
	s.confirms()
	s.member("d1").Unheard = 0
	s.quiesces()
}

func TestAnOwnerWhoseControlDoesNotAnswerAndThatIsNotHeardIsNotMovedFrom(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unheard = Mute
	s.Keeper.Routers[0].Silent, s.Keeper.Routers[1].Silent = true, true
	s.wants()
	s.begun = s.begun[:1] // what is silent is looked after, too
	s.does(dropped("d1 does not answer, and is not heard"))
}
