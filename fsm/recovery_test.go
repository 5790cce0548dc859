package fsm

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func recovered(s State) State {
	r := Recovery{
		ClusterID: s.ClusterID, Epoch: s.ClusterEpoch() + 1, Survivor: "d2", SurvivorID: "id-d2",
		AsOf: s.Index, Index: s.Index + RecoveryGap, At: noon, Signature: []byte("signed"),
	}
	return Recovered(s, r, s.Members["d2"])
}

func TestARecoveredStateIsTheSurvivorsAlone(t *testing.T) {
	s := play(t, history()[:12])
	before := s.Hash()
	next := recovered(s)
	if s.Hash() != before {
		t.Error("the state that it was made from has changed")
	}
	if diff := cmp.Diff([]string{"d1"}, next.FormerNames()); diff != "" || len(next.Members) != 1 || next.Members["d2"].ID != "id-d2" {
		t.Errorf("former members %s, members %v", diff, next.Members)
	}
	if g := next.Groups["gateway"]; g.Owner != "d1" || g.Epoch != 1+RecoveryGap || len(g.Order) != 1 || g.Order[0] != "d2" || g.Intent != nil {
		t.Errorf("group %+v", g)
	}
	if next.ClusterEpoch() != 2 || next.Index != s.Index+RecoveryGap || next.Revision != s.Revision || len(next.Secrets().Tokens) != 0 {
		t.Errorf("epoch %d, index %d, revision %d, tokens %v", next.ClusterEpoch(), next.Index, next.Revision, next.Secrets().Tokens)
	}
	if !bytes.Equal(next.Secrets().CAKey, s.Secrets().CAKey) || next.Verdict(web11) != s.Verdict(web11) {
		t.Error("the CA's key or the verdicts are others")
	}
	if _, _, err := Apply(next, next.Index+1, SetOwner{Group: "gateway", Owner: "d2", Epoch: 2 + RecoveryGap}); err != nil {
		t.Errorf("the next owner: %v", err)
	}
}

func TestARecoveredStateIsWholeInItsSnapshot(t *testing.T) {
	next := recovered(play(t, history()[:12]))
	var b bytes.Buffer
	if err := WriteSnapshot(&b, next); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot-recovered.txt", b.Bytes())
	back, err := ReadSnapshot(&b)
	if err != nil || back.Hash() != next.Hash() || back.Recovery == nil || string(back.Recovery.Signature) != "signed" {
		t.Errorf("%+v, %v", back.Recovery, err)
	}
}

func TestAFormerMemberIsForgottenWhenItsAddressIsAMembersAgain(t *testing.T) {
	s := recovered(play(t, history()[:12]))
	again := s.Former["id-d1"]
	again.ID = "another"
	for _, c := range []Command{
		AddToken{ID: "t4", Token: Token{Hash: "dd", Role: RoleDirector, Expires: noon}},
		AdmitMember{TokenID: "t4", SecretHash: "dd", Now: noon, Member: again},
	} {
		before := s.Hash()
		next, _, err := Apply(s, s.Index+1, c)
		if err != nil {
			t.Fatal(err)
		}
		if s.Hash() != before {
			t.Error("an old state has changed")
		}
		s = next
	}
	if len(s.Former) != 0 || s.Members["d1"].ID != "another" {
		t.Errorf("former %v, members %v", s.Former, s.Members)
	}
}

func TestOfTwoRecoveriesOneCountsForEverybody(t *testing.T) {
	base := Recovery{Epoch: 2, AsOf: 9, SurvivorID: "a", At: noon}
	with := func(f func(*Recovery)) *Recovery {
		r := base
		f(&r)
		return &r
	}
	for _, r := range []*Recovery{
		with(func(r *Recovery) { r.Epoch, r.AsOf = 3, 1 }),
		with(func(r *Recovery) { r.AsOf = 10 }),
		with(func(r *Recovery) { r.SurvivorID = "b" }),
		with(func(r *Recovery) { r.At = noon.Add(1) }),
	} {
		if !r.Over(&base) || base.Over(r) {
			t.Errorf("%+v does not end %+v", r, base)
		}
		if bytes.Equal(r.Text(), base.Text()) {
			t.Errorf("%+v is signed as the other", r)
		}
	}
	if base.Over(&base) || !base.Over(nil) || (*Recovery)(nil).Over(&base) || (*Recovery)(nil).Over(nil) {
		t.Error("itself, or nothing")
	}
}
