package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

// joinRequest is what a joiner sends to a member that it knows by its token.
type joinRequest struct {
	TokenID string     `json:"token_id"`
	Secret  []byte     `json:"secret"`
	CSR     []byte     `json:"csr"` // DER
	Member  fsm.Member `json:"member"`
	Now     time.Time  `json:"now"` // the joiner's clock
}

// joinResponse makes it a member.
type joinResponse struct {
	ClusterID   string `json:"cluster_id"`
	CA          []byte `json:"ca"`          // PEM; the one that signed first, then others that are trusted
	Certificate []byte `json:"certificate"` // PEM
	Admitted    uint64 `json:"admitted"`
}

// joinLimit bounds one attempt to join; the cluster may be electing meanwhile.
const joinLimit = 15 * time.Second

// Join makes this agent a member of the cluster that a token is for, through any member at addr (an
// address, with or without a port). The key is made here and stays here; before anything is sent,
// the cluster must prove that it is the one that made the token. After it the node can be opened: it
// votes once it has caught up. A Join that was cut off goes on where it stopped, with the same token.
func Join(ctx context.Context, cfg Config, addr, tokenText string, progress func(string)) (err error) {
	cfg, err = cfg.checked()
	if err != nil {
		return err
	}
	target, err := joinTarget(addr)
	if err != nil {
		return err
	}
	t, err := pki.ParseToken(tokenText)
	if err != nil {
		return err
	}
	l, err := takeLock(cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if Exists(cfg.DataDir) {
		return joinedAlready(cfg.DataDir, t, progress)
	}
	if err := portsFree(cfg); err != nil {
		return err
	}
	j, err := beginJoin(cfg)
	if err != nil {
		return err
	}
	progress("asking " + target + " to let " + cfg.Name + " in")
	var resp joinResponse
	slowly(progress, target+" has not answered yet", func() { resp, err = j.ask(ctx, target, t) })
	if err != nil {
		return fmt.Errorf("join through %s: %w", target, err)
	}
	if err := j.finish(resp); err != nil {
		return err
	}
	progress(fmt.Sprintf("%s is a member of cluster %s, its certificate is signed; it votes once it has caught up", cfg.Name, resp.ClusterID))
	return install(cfg.DataDir, joinDir)
}

// slowly does something, and says that it is not done where that takes longer than a person waits without a word.
func slowly(progress func(string), text string, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	wait := time.NewTimer(time.Second)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
		progress(text)
		<-done
	}
}

// Joined is nil if the agent with this data directory is a member of the cluster that a token is for, and
// says what is wrong if it is another's. It may be asked while a node runs there.
func Joined(dataDir, tokenText string) error {
	t, err := pki.ParseToken(tokenText)
	if err != nil {
		return err
	}
	return joinedAlready(dataDir, t, func(string) {})
}

// joinTarget reads ADDRESS or ADDRESS:PORT.
func joinTarget(addr string) (string, error) {
	if pki.HasToken(addr) { // it is a secret: neither shown nor asked a name server for
		return "", errors.New("where the address of a member is to be there is a token: write `quorate join ADDRESS --token TOKEN`")
	}
	if ap, err := netip.ParseAddrPort(addr); err == nil && ap.Port() != 0 {
		return ap.String(), nil
	}
	if a, err := netip.ParseAddr(addr); err == nil {
		return netip.AddrPortFrom(a, DefaultPort).String(), nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, strconv.Itoa(DefaultPort)
	}
	if n, err := strconv.ParseUint(port, 10, 16); host == "" || strings.ContainsAny(host, ":/ ") || err != nil || n == 0 {
		return "", fmt.Errorf("%q is not the address of a member: write ADDRESS or ADDRESS:PORT", addr)
	}
	return net.JoinHostPort(host, port), nil
}

// joinedAlready is success if the agent is in the cluster that it was asked to join.
func joinedAlready(dataDir string, t pki.Token, progress func(string)) error {
	creds, err := pki.Load(filepath.Join(dataDir, liveDir), nil, nil)
	if err != nil {
		return err
	}
	if !creds.Trust().Names(t) {
		return fmt.Errorf("%w; and the token is of another cluster", alreadyIn(dataDir))
	}
	progress("this agent is a member of that cluster already")
	return nil
}

// joining is a join under way. Its directory keeps ID and key, so that to ask again is to ask as
// the same. It is on disk, name and all, before anybody is asked.
type joining struct {
	cfg Config
	dir string
	id  pki.Identity
	key *ecdsa.PrivateKey
}

func beginJoin(cfg Config) (*joining, error) {
	dir, err := makeDir(cfg.DataDir, joinDir)
	if err != nil {
		return nil, err
	}
	j := &joining{cfg: cfg, dir: dir}
	if j.resume() {
		return j, durable.SyncDir(cfg.DataDir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove what a join before has left: %w", err)
	}
	if _, err := makeDir(cfg.DataDir, joinDir); err != nil {
		return nil, err
	}
	key, text, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	id, err := pki.MemberID(key.Public())
	if err != nil {
		return nil, err
	}
	j.id, j.key = pki.Identity{Name: cfg.Name, ID: id}, key
	return j, errors.Join(durable.Write(filepath.Join(dir, pki.KeyFile), text, 0o600), writeIdentity(dir, j.id), durable.SyncDir(cfg.DataDir))
}

// resume takes up a join that was begun under the same name.
func (j *joining) resume() bool {
	id, err := readIdentity(j.dir)
	if err != nil || id.Name != j.cfg.Name {
		return false
	}
	text, err := os.ReadFile(filepath.Join(j.dir, pki.KeyFile))
	if err != nil {
		return false
	}
	signer, err := pki.ParseKey(text)
	if err != nil {
		return false
	}
	if of, err := pki.MemberID(signer.Public()); err != nil || of != id.ID {
		return false
	}
	key, ok := signer.(*ecdsa.PrivateKey)
	j.id, j.key = id, key
	return ok
}

// ask sends the request, over a connection whose other end the token has proved.
func (j *joining) ask(ctx context.Context, target string, t pki.Token) (joinResponse, error) {
	var out joinResponse
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	csr, err := pki.NewRequest(j.cfg.Name, j.key)
	if err != nil {
		return out, err
	}
	body, err := jsonBody(joinRequest{TokenID: t.ID(), Secret: t.Secret(), CSR: csr, Member: j.cfg.member(j.id.ID), Now: time.Now().UTC()})
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+target+"/cluster/join", body)
	if err != nil {
		return out, err
	}
	tr := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialPinned(ctx, target, t) }}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return out, fmt.Errorf("its answer broke off, try again: %w", err)
	}
	err = decodeAnswer(target, resp, text, &out)
	return out, err
}

// dialPinned connects to a member of the cluster that made a token, and to nobody else.
func dialPinned(ctx context.Context, target string, t pki.Token) (net.Conn, error) {
	raw, err := port.PlainDialer().DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, explainDial(target, err)
	}
	c := tls.Client(raw, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{port.ALPNHTTP},
		InsecureSkipVerify: true, // VerifyConnection does more: the token names the one CA that counts
		VerifyConnection:   t.Verify,
	})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		if errors.Is(err, pki.ErrOtherCluster) {
			return nil, err
		}
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) {
			return nil, fmt.Errorf("the certificate of the agent that answers there is not good here: %w", pki.ExplainTLS(err))
		}
		return nil, fmt.Errorf("what answers there does not speak as a quorate agent does: %w", pki.ExplainTLS(err))
	}
	return c, nil
}

func explainDial(target string, err error) error {
	_, port, _ := net.SplitHostPort(target)
	var timeout net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w: the host is there, but no agent of a cluster listens on that port; is the address a member's `bind`?", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: nothing answers; is the host up, is the address a member's `bind`, reached from here, and does every firewall on the way let %s/tcp through?", err, port)
	}
	return err
}

// finish writes what makes this agent a member.
func (j *joining) finish(r joinResponse) error {
	key, err := os.ReadFile(filepath.Join(j.dir, pki.KeyFile))
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	if _, err := tls.X509KeyPair(r.Certificate, key); err != nil {
		return fmt.Errorf("the cluster's answer: certificate: %w", err)
	}
	if _, err := pki.ParseCertificates(r.CA); err != nil {
		return fmt.Errorf("the cluster's answer: CA: %w", err)
	}
	j.id.ClusterID, j.id.Admitted = r.ClusterID, r.Admitted
	return errors.Join(
		durable.Write(filepath.Join(j.dir, pki.CAFile), r.CA, 0o600),
		durable.Write(filepath.Join(j.dir, pki.CertFile), r.Certificate, 0o600),
		writeIdentity(j.dir, j.id),
	)
}
