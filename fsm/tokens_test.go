package fsm

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsSaidOfATokenAndOfACertificate(t *testing.T) {
	var s State
	var said []string
	for i, c := range []Command{
		AddToken{ID: "t1", Token: Token{Hash: "aa", Role: RoleDirector, Expires: noon}},
		AddToken{ID: "c1", Token: Token{Hash: "bb", Role: RoleViewer, Expires: noon, UsedBy: "ann"}},
		RevokeToken{ID: "t1"}, RevokeToken{ID: "c1"},
	} {
		next, changes, err := Apply(s, uint64(i+1), c)
		if err != nil {
			t.Fatal(err)
		}
		s = next
		for _, change := range changes {
			said = append(said, change.Text)
		}
	}
	until := noon.UTC().Format("2006-01-02T15:04:05Z")
	want := []string{
		"token t1 of role director made, good until " + until, "certificate c1 of ann of role viewer made, good until " + until,
		"token t1 revoked", "certificate c1 of ann revoked",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const gone = "no token and no certificate has the ID nope: not found"
	if _, _, err := Apply(s, 9, RevokeToken{ID: "nope"}); !errors.Is(err, ErrNotFound) || err.Error() != gone {
		t.Errorf("%v, want %s", err, gone)
	}
}
