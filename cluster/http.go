package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

type connKey struct{}

type peerKey struct{}

// withConn lets a handler find its connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Peer returns the name of the member that makes a request on the cluster port.
func Peer(ctx context.Context) (name string, ok bool) {
	p, ok := ctx.Value(peerKey{}).(pki.Identity)
	return p.Name, ok
}

// handler serves the cluster port. Joining is open to who has a token, the API to who has a certificate and as far
// as its role allows; all else is for members.
func (n *Node) handler() http.Handler {
	members := http.NewServeMux()
	members.HandleFunc("POST /cluster/propose", n.servePropose)
	members.HandleFunc("POST "+lanePath, n.serveLane)
	members.HandleFunc("GET /cluster/progress", n.serveProgress)
	members.HandleFunc("GET /cluster/point", n.servePoint)
	members.HandleFunc("GET /cluster/keys", n.serveKeys)
	members.HandleFunc("GET "+statePath, n.serveState)
	members.HandleFunc("POST /cluster/remove", n.serveRemove)
	members.HandleFunc("POST /cluster/renew", n.serveRenew)
	members.HandleFunc("/cluster/", http.NotFound)
	if n.cfg.Handler != nil {
		members.Handle("/", n.cfg.Handler)
	}
	all := http.NewServeMux()
	all.HandleFunc("POST /cluster/join", n.serveJoin)
	if n.cfg.API != nil {
		all.HandleFunc("/v1/", n.serveAPI)
	}
	all.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*port.Conn)
		if !ok {
			writeError(w, errNoCertificate)
			return
		}
		if r.URL.Path == epochPath && r.Method == http.MethodPost && n.ofThisCluster(c.ConnectionState()) == nil {
			n.serveEpoch(w, r)
			return
		}
		peer, err := n.authorize(c.ConnectionState()) // at each request: membership may have ended
		if err != nil {
			n.strangers.Count(port.NoRequest)
			w.Header().Set("Connection", "close") // strangers keep nothing open
			writeError(w, err)
			return
		}
		members.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer)))
	})
	return all
}

// finishPath is where the end of a rotation is asked for.
const finishPath = "/v1/keys/finish"

// serveAPI serves who has a certificate, a member's or another.
func (n *Node) serveAPI(w http.ResponseWriter, r *http.Request) {
	caller, err := Caller{}, errNoCertificate
	c, ok := r.Context().Value(connKey{}).(*port.Conn)
	if ok {
		caller, err = n.caller(c.ConnectionState())
	}
	if err != nil {
		n.strangers.Count(port.NoRequest)
		w.Header().Set("Connection", "close") // strangers keep nothing open
		writeError(w, err)
		return
	}
	if r.URL.Path == finishPath {
		w.Header().Set("Connection", "close") // it may end the trust in who asks
	}
	if !caller.Member {
		w = forbidding{w, func() { n.strangers.Count(port.NoRole) }}
	}
	n.cfg.API.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askerKey{}, caller)))
}

// forbidding is told when something is forbidden.
type forbidding struct {
	http.ResponseWriter
	tell func()
}

// WriteHeader implements [http.ResponseWriter].
func (f forbidding) WriteHeader(status int) {
	if status == http.StatusForbidden {
		f.tell()
	}
	f.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (f forbidding) Unwrap() http.ResponseWriter { return f.ResponseWriter }

var errNoCertificate = errors.New("only members of this cluster are answered, and no certificate of one was shown")

// authorize says which member is at the other end of a connection.
func (n *Node) authorize(c tls.ConnectionState) (pki.Identity, error) {
	p, err := n.peerOf(c)
	if err != nil {
		return pki.Identity{}, err
	}
	return p, n.mayTalk(p)
}

// peerOf says whose certificate was shown.
func (n *Node) peerOf(c tls.ConnectionState) (pki.Identity, error) {
	if !n.creds.Trusts(c) { // or no more
		return pki.Identity{}, errNoCertificate
	}
	return pki.IdentityOf(c.PeerCertificates[0])
}

// ofThisCluster reports whether a certificate of this cluster was shown, a member's or a former member's.
func (n *Node) ofThisCluster(c tls.ConnectionState) error {
	p, err := n.peerOf(c)
	if err == nil && p.ClusterID != n.id.ClusterID {
		err = errNoCertificate
	}
	return err
}

// mayTalk reports whether a peer whose certificate is good is a member. Somebody who was admitted
// by an entry that this node has not applied yet is believed.
func (n *Node) mayTalk(p pki.Identity) error {
	s := n.State()
	if p.ClusterID != n.id.ClusterID {
		return fmt.Errorf("%s is of cluster %s, this is cluster %s", p.Name, p.ClusterID, n.id.ClusterID)
	}
	if m, ok := s.Members[p.Name]; (ok && m.ID == p.ID) || p.Admitted > s.Index {
		return nil
	}
	return &removal{Name: p.Name, Index: s.Index, Recovery: s.Recovery}
}

// removal is what a member that was removed is told, and by whom.
type removal struct {
	Name  string // who was removed
	Index uint64 // as of this entry
	By    string // who says so; "": the own log

	Recovery *fsm.Recovery // the last one of who says so
	Behind   bool          // and it left this node behind
	Where    string        // the survivor's address then
}

// Error implements error.
func (r *removal) Error() string {
	if r.Behind {
		return fmt.Sprintf("%s is %v: that was recovered on %s at %s, as of log entry %d, without it (cluster epoch %d): run `quorate leave` there, and then `quorate join %s --token TOKEN` with a token that `quorate token create` on %s prints",
			r.Name, ErrRemoved, r.Recovery.Survivor, r.Recovery.At.UTC().Format(time.RFC3339), r.Recovery.AsOf, r.Recovery.Epoch, r.Where, r.Recovery.Survivor)
	}
	text := fmt.Sprintf("%s is %v (as of log entry %d)", r.Name, ErrRemoved, r.Index)
	if r.By != "" {
		text += ", says " + r.By
	}
	return text + ": `quorate leave` there removes what is left of it, then it can join again"
}

// Is makes a removal match [ErrRemoved].
func (r *removal) Is(err error) bool { return err == ErrRemoved }

// failure is an error on the wire. Its code lets the other side compare it as if it were its own.
type failure struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
	Index uint64 `json:"index,omitempty"`
	Name  string `json:"name,omitempty"`

	Recovery *fsm.Recovery `json:"recovery,omitempty"`
}

// wireErrors are the errors that keep their identity on the wire.
var wireErrors = []struct {
	code   string
	err    error
	status int
}{
	{"stale", fsm.ErrStale, http.StatusConflict},
	{"on-trial", fsm.ErrOnTrial, http.StatusConflict},
	{"level", fsm.ErrLevel, http.StatusConflict},
	{"token", fsm.ErrToken, http.StatusForbidden},
	{"taken", fsm.ErrTaken, http.StatusConflict},
	{"already", fsm.ErrAlready, http.StatusConflict},
	{"not-found", fsm.ErrNotFound, http.StatusNotFound},
	{"unknown-command", fsm.ErrUnknownCommand, http.StatusBadRequest},
	{"not-leader", errNotLeader, http.StatusServiceUnavailable},
	{"no-leader", ErrNoLeader, http.StatusServiceUnavailable},
	{"uncertain", ErrUncertain, http.StatusGatewayTimeout},
	{"removed", ErrRemoved, http.StatusGone},
	{"no-certificate", errNoCertificate, http.StatusForbidden},
	{"would-lose-quorum", ErrQuorumAtRisk, http.StatusConflict},
	{"key-in-use", ErrKeyInUse, http.StatusConflict},
}

func newFailure(err error) (failure, int) {
	f, status := failure{Error: err.Error()}, http.StatusConflict
	var r *removal
	if errors.As(err, &r) {
		f.Index, f.Name, f.Recovery = r.Index, r.Name, r.Recovery
	}
	for _, w := range wireErrors {
		if errors.Is(err, w.err) {
			f.Code, status = w.code, w.status
			break
		}
	}
	return f, status
}

func (f failure) err() error {
	if f.Code == "removed" {
		return &removal{Name: f.Name, Index: f.Index, Recovery: f.Recovery}
	}
	for _, w := range wireErrors {
		if f.Code == w.code {
			return &remoteError{f.Error, w.err}
		}
	}
	return errors.New(f.Error)
}

// remoteError is an error of another node: its text, and what it is to be compared as.
type remoteError struct {
	text string
	as   error
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() error { return e.as }

func writeError(w http.ResponseWriter, err error) {
	f, status := newFailure(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(f) // who asked may be gone
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEntry)).Decode(v); err != nil {
		return fmt.Errorf("request from %s: %w", r.RemoteAddr, err)
	}
	return nil
}
