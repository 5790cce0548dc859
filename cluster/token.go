package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

const tokenPrefix = "quorate1-"

// token is what a joiner is given: which token it is, the secret that proves it, and the SHA-256 of
// the cluster's CA certificate, by which the joiner knows the cluster before it says anything.
type token struct {
	id     [6]byte
	secret [16]byte
	pin    [sha256.Size]byte
}

const tokenSize = 6 + 16 + sha256.Size

var errNotToken = errors.New("not a join token")

func newToken(caCert []byte) token {
	t := token{pin: sha256.Sum256(caCert)}
	_, _ = rand.Read(t.id[:]) // never fails
	_, _ = rand.Read(t.secret[:])
	return t
}

// ID is the token's public half.
func (t token) ID() string { return hex.EncodeToString(t.id[:]) }

// hash is what the cluster keeps of the secret.
func (t token) hash() string { return hashSecret(t.secret[:]) }

func hashSecret(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// String returns the token's text, which ends with a checksum: a token that was cut off is told
// from one that is wrong.
func (t token) String() string {
	b := bytes.Join([][]byte{t.id[:], t.secret[:], t.pin[:]}, nil)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// parseToken reads a token's text; white space around it does not matter.
func parseToken(text string) (token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	if !ok {
		return token{}, fmt.Errorf("%w: it begins with %s; `quorate token create` on a member prints one", errNotToken, tokenPrefix)
	}
	if strings.ContainsAny(rest, "\r\n") { // the decoder would skip them
		return token{}, fmt.Errorf("%w: it is one line", errNotToken)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) != tokenSize+4 || crc32.ChecksumIEEE(b[:tokenSize]) != binary.BigEndian.Uint32(b[tokenSize:]) {
		return token{}, fmt.Errorf("%w: it is cut off or altered; copy all of the line that `quorate token create` printed", errNotToken)
	}
	var t token
	copy(t.id[:], b)
	copy(t.secret[:], b[6:])
	copy(t.pin[:], b[22:])
	return t, nil
}

var tokenText = regexp.MustCompile(tokenPrefix + `[A-Za-z0-9_-]+`)

// HideTokens returns a text with every token in it cut down to what all tokens have.
func HideTokens(text string) string { return tokenText.ReplaceAllString(text, tokenPrefix+"...") }

// HasToken reports whether there is a token in a text.
func HasToken(text string) bool { return tokenText.MatchString(text) }

// CreateToken makes a token that lets one agent join in a role, within a lifetime. Its text is
// known to nobody else afterwards.
func (n *Node) CreateToken(ctx context.Context, role fsm.Role, lifetime time.Duration) (string, error) {
	if role == "" {
		role = fsm.RoleDirector
	}
	if lifetime <= 0 {
		return "", fmt.Errorf("a token that is good for %v lets nobody in", lifetime)
	}
	secrets := n.State().Secrets()
	ca, err := parseCertificate(secrets.CACert)
	if err != nil {
		return "", fmt.Errorf("create token: the cluster's CA: %w", err)
	}
	t := newToken(ca.Raw)
	now := time.Now().UTC().Truncate(time.Second)
	cmd := fsm.AddToken{ID: t.ID(), Token: fsm.Token{Hash: t.hash(), Role: role, Expires: now.Add(lifetime), CA: n.nameCA(secrets)}, Now: now}
	if err := n.Propose(ctx, cmd); err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return t.String(), nil
}

// TokenID returns the ID by which the log knows a token.
func TokenID(text string) (string, error) {
	t, err := parseToken(text)
	if err != nil {
		return "", err
	}
	return t.ID(), nil
}

// nameCA is what the record of a token or certificate says of the CA that it ends with, once the cluster knows of that.
func (n *Node) nameCA(s fsm.Secrets) string {
	if n.State().Level < fsm.LevelKeys {
		return ""
	}
	return fsm.KeyID(s.CACert)
}
