package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// MaxMembers is how many members a cluster can have.
const MaxMembers = 7

// maxJoinRequest bounds what is read from somebody who has shown no certificate.
const maxJoinRequest = 64 << 10

func jsonBody(v any) (io.Reader, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return bytes.NewReader(b), nil
}

// serveJoin is the one thing that a stranger may ask. Only the leader can answer it; a follower
// passes it on.
func (n *Node) serveJoin(w http.ResponseWriter, r *http.Request) {
	var req joinRequest
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(port.HandshakeLimit)) // strangers get no more
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJoinRequest)).Decode(&req); err != nil {
		n.strangers.Count(port.NoJoin)
		writeError(w, fmt.Errorf("join request: %w", err))
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it would end the request's context
	ctx, cancel := context.WithTimeout(r.Context(), joinLimit)
	defer cancel()
	resp, err := joinResponse{}, errNotLeader
	if c, ok := r.Context().Value(connKey{}).(*port.Conn); ok && len(c.ConnectionState().VerifiedChains) > 0 {
		if n.IsLeader() { // a follower asks, and asks again: else two that believe in each other pass it on for ever
			resp, err = n.admit(ctx, req)
		}
	} else {
		resp, err = n.letIn(ctx, req)
	}
	if err != nil {
		if n.strangers.Refuse(port.NoJoin, port.Address(r.RemoteAddr)) {
			n.log.Warn("join refused", "name", fmt.Sprintf("%.70q", req.Member.Name), "from", r.RemoteAddr, "err", err)
		}
		writeError(w, err)
		return
	}
	writeJSON(w, resp)
}

// letIn has the leader admit a joiner, and waits a while for there to be one. Where the leader is lost before it answers,
// the next one is asked: the joiner is the same, with the same token, and is let in once.
func (n *Node) letIn(ctx context.Context, req joinRequest) (joinResponse, error) {
	ctx, stop := context.WithTimeout(ctx, 3*n.cfg.patience())
	defer stop()
	again, end := n.patience(ctx)
	defer end()
	var uncertain error
	for {
		resp, err := joinResponse{}, errNotLeader
		if n.IsLeader() {
			resp, err = n.admit(ctx, req)
		} else if leader := n.Leader(); leader != "" {
			err = n.call(ctx, leader, http.MethodPost, "/cluster/join", req, &resp)
		}
		var dial *port.DialError
		switch {
		case errors.Is(err, ErrUncertain):
			uncertain, again.ctx, again.stubborn = err, ctx, true
		case !errors.Is(err, errNotLeader) && !errors.As(err, &dial):
			return resp, err
		}
		if err := again.pause(); err != nil {
			return joinResponse{}, cmp.Or(uncertain, err)
		}
	}
}

// admit uses up the token, makes the joiner a member and signs its certificate, in this order: each
// step may be repeated by the same joiner.
func (n *Node) admit(ctx context.Context, req joinRequest) (joinResponse, error) {
	m := req.Member
	if err := checkJoiner(m); err != nil {
		return joinResponse{}, err
	}
	now := time.Now()
	if err := n.clocksAgree(m.Name, req.Now, now); err != nil {
		return joinResponse{}, err
	}
	if err := supports(n.State().Level, m.MinLevel, m.MaxLevel, m.Name+" (version "+m.Version+")"); err != nil {
		return joinResponse{}, err
	}
	pub, err := pki.ParseRequest(req.CSR)
	if err != nil {
		return joinResponse{}, err
	}
	if id, err := pki.MemberID(pub); err != nil || id != m.ID {
		return joinResponse{}, errors.Join(fmt.Errorf("the joining agent's ID %s is not its key's", m.ID), err)
	}
	n.admitting.Lock() // else two at once would be the seventh, and one of them an eighth
	defer n.admitting.Unlock()
	if err := ctx.Err(); err != nil { // who asked is gone, or does not wait any more
		return joinResponse{}, fmt.Errorf("%s was not let in: %w while others were", m.Name, err)
	}
	if err := n.unclaimed(req.TokenID, m); err != nil {
		return joinResponse{}, err
	}
	entry, err := fsm.Encode(fsm.AdmitMember{TokenID: req.TokenID, SecretHash: pki.HashSecret(req.Secret), Now: now.UTC(), Member: m})
	if err != nil {
		return joinResponse{}, err
	}
	index, err := n.append(ctx, entry)
	if err != nil {
		return joinResponse{}, err
	}
	secrets := n.State().Secrets()
	p := pki.Identity{ClusterID: n.id.ClusterID, Name: m.Name, ID: m.ID, Admitted: index}
	cert, err := pki.SignMember(secrets.CACert, secrets.CAKey, pub, p, now, now.Add(n.cfg.CertificateLife))
	if err != nil {
		return joinResponse{}, err
	}
	return joinResponse{ClusterID: n.id.ClusterID, CA: pki.TrustedIn(secrets), Certificate: cert, Admitted: index}, nil
}

// clocksAgree says by how much another's clock is off, if that is too much to sign for it.
func (n *Node) clocksAgree(name string, there, here time.Time) error {
	skew := there.Sub(here).Abs()
	if skew <= pki.ClockTolerance {
		return nil
	}
	return fmt.Errorf("clocks differ by %v: on %s it is %s, on %s %s; certificates and tokens depend on them, so set the wrong one right first",
		skew.Round(time.Second), name, there.UTC().Format(time.RFC3339), n.id.Name, here.UTC().Format(time.RFC3339))
}

// unclaimed refuses what the command itself lets pass: who was removed does not come back by the
// token that once let it in, an ID has one name, and a gossip port one member. Of a name and an address, which
// the command refuses too, it says what a host that was built anew is to do.
func (n *Node) unclaimed(tokenID string, m fsm.Member) error {
	s := n.State()
	same, member := memberByID(s, m.ID)
	if t := s.Secrets().Tokens[tokenID]; !member && t.UsedBy == m.Name+"/"+m.ID {
		return fmt.Errorf("%w: %s was let in by it before, and is no member any more; make another with `quorate token create`", fsm.ErrToken, m.Name)
	}
	if member && same.Name != m.Name {
		return fmt.Errorf("the ID %s is member %s's: %w", m.ID, same.Name, fsm.ErrTaken)
	}
	for _, other := range s.Members {
		if other.ID != m.ID && other.Name == m.Name {
			return theirs("the name "+m.Name+" is a member's", other, "choose another name")
		}
	}
	for _, other := range s.Members {
		switch {
		case other.ID == m.ID:
		case other.Address == m.Address:
			return theirs(fmt.Sprintf("the address %s is member %s's", m.Address, other.Name), other, "set another `bind` in its agent file")
		case other.Gossip == m.Gossip:
			return theirs(fmt.Sprintf("the gossip address %s is member %s's", m.Gossip, other.Name), other, "set another `gossip` in its agent file")
		}
	}
	if !member && len(s.Members) >= MaxMembers {
		return fmt.Errorf("the cluster has %d members, and %d is the most that it can have: %s was not let in; `quorate leave` on a member, or `quorate remove`, makes room", len(s.Members), MaxMembers, m.Name)
	}
	return nil
}

// theirs refuses what another member has. Mostly the joiner is on that member's host, whose data is lost.
func theirs(what string, m fsm.Member, instead string) error {
	return fmt.Errorf("%s: %w; if this host was %s and has lost its data, run `quorate remove %s` on another director and join again, else %s",
		what, fsm.ErrTaken, m.Name, m.Name, instead)
}

// maxName bounds a member's name: it goes into certificates and gossip.
const maxName = 63

// checkJoiner says what is wrong with what a joiner tells of itself.
func checkJoiner(m fsm.Member) error {
	if !goodName(m.Name) {
		return badName(m.Name)
	}
	if _, err := uuid.Parse(m.ID); err != nil || len(m.ID) != 36 {
		return fmt.Errorf("the joining agent's ID %.70q is none", m.ID)
	}
	if m.Role != fsm.RoleDirector && m.Role != fsm.RoleWitness {
		return fmt.Errorf("the joining agent's role %.70q is none that a member can have", m.Role)
	}
	if !m.Address.IsValid() || m.Address.Addr().IsUnspecified() || !m.Gossip.IsValid() || m.Gossip.Addr().IsUnspecified() {
		return fmt.Errorf("the joining agent's addresses %s and %s cannot be reached", m.Address, m.Gossip)
	}
	return nil
}

func goodName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, notInName)
}

func badName(name string) error {
	return fmt.Errorf("%.70q cannot be a director's name: letters, digits, dots, dashes and underscores, at most %d", name, maxName)
}

func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		return false
	}
	return true
}
