package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/lineage"
)

// noteRefusal notes what became of a call to a member, for who was away when the CA was rotated and its own was dropped:
// no other takes its certificate any more, and only a person can help.
func (n *Node) noteRefusal(by string, err error) {
	t := n.creds.Trust()
	late := t.Outlived(n.creds.Leaf())
	switch {
	case err == nil:
		n.refused.Store(nil)
	case late && lineage.Refused(err):
		text := fmt.Sprintf("%s does not take this director's certificate: it is of CA %s, which the cluster has dropped while this director was away: "+
			"run `quorate leave --force` here, `quorate remove %s` on another director, then join again", by, pki.AuthorityID(t.Present()), n.id.Name)
		if n.refused.Swap(&text) == nil {
			n.log.Error("the others take this director's certificate no more", "err", text)
		}
	}
}

// keepsTrust has the CAs that count on disk too, until ctx ends, and ends connections of those that count no more.
func (n *Node) keepsTrust(ctx context.Context) error {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	for failed := 0; ctx.Err() == nil; {
		n.dropStrangers()
		n.dialer.HangUp()
		var again <-chan time.Time
		if err := n.creds.Keep(); err != nil { // a full disk, mostly: the next news may be years away
			wait := min(keepAgain<<min(failed, 6), time.Minute)
			again = time.After(wait)
			failed++
			n.log.Error("the cluster's CAs are not kept on disk", "again in", wait, "err", err)
		} else {
			failed = 0
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-again:
		}
	}
	return nil
}

// keepAgain is when it is tried again to keep the CAs, the first time.
const keepAgain = time.Second
