package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/quorate/quorate/lineage"
)

const tokenPrefix = "quorate1-"

// Token is what a joiner is given: which token it is, the secret that proves it, and the SHA-256 of
// the cluster's CA certificate, by which the joiner knows the cluster before it says anything.
type Token struct {
	id     [6]byte
	secret [16]byte
	pin    [sha256.Size]byte
}

const tokenSize = 6 + 16 + sha256.Size

// ErrNotToken means that a text is no join token, or not all of one.
var ErrNotToken = errors.New("not a join token")

// NewToken returns a token for the cluster with a CA, whose certificate is in DER.
func NewToken(caCert []byte) Token {
	t := Token{pin: sha256.Sum256(caCert)}
	_, _ = rand.Read(t.id[:]) // never fails
	_, _ = rand.Read(t.secret[:])
	return t
}

// ID returns the token's public half.
func (t Token) ID() string { return hex.EncodeToString(t.id[:]) }

// Hash returns what the cluster keeps of the secret.
func (t Token) Hash() string { return HashSecret(t.secret[:]) }

// Secret returns what proves the token.
func (t Token) Secret() []byte { return t.secret[:] }

// HashSecret returns what the cluster keeps of a token's secret.
func HashSecret(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// String returns the token's text, which ends with a checksum: a token that was cut off is told
// from one that is wrong.
func (t Token) String() string {
	b := bytes.Join([][]byte{t.id[:], t.secret[:], t.pin[:]}, nil)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token's text; white space around it does not matter. What is none is [ErrNotToken].
func ParseToken(text string) (Token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("%w: it begins with %s; `quorate token create` on a member prints one", ErrNotToken, tokenPrefix)
	}
	if strings.ContainsAny(rest, "\r\n") { // the decoder would skip them
		return Token{}, fmt.Errorf("%w: it is one line", ErrNotToken)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) != tokenSize+4 || crc32.ChecksumIEEE(b[:tokenSize]) != binary.BigEndian.Uint32(b[tokenSize:]) {
		return Token{}, fmt.Errorf("%w: it is cut off or altered; copy all of the line that `quorate token create` printed", ErrNotToken)
	}
	var t Token
	copy(t.id[:], b)
	copy(t.secret[:], b[6:])
	copy(t.pin[:], b[22:])
	return t, nil
}

var tokenText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(tokenPrefix + `[A-Za-z0-9_-]+`)
})

// HideTokens returns a text with every token in it cut down to what all tokens have.
func HideTokens(text string) string { return tokenText().ReplaceAllString(text, tokenPrefix+"...") }

// HasToken reports whether there is a token in a text.
func HasToken(text string) bool { return tokenText().MatchString(text) }

// TokenID returns the ID by which the log knows a token.
func TokenID(text string) (string, error) {
	t, err := ParseToken(text)
	if err != nil {
		return "", err
	}
	return t.ID(), nil
}

// ErrOtherCluster means that who was dialed is no member of the cluster that a token is for.
var ErrOtherCluster = errors.New("another cluster answered")

// names reports whether a certificate is of the CA that the token pins.
func (t Token) names(cert *x509.Certificate) bool { return sha256.Sum256(cert.Raw) == t.pin }

// Verify holds a member's certificates against the token: the CA that it names, or one that follows it, has signed.
func (t Token) Verify(c tls.ConnectionState) error {
	shown := c.PeerCertificates[1:]
	i := slices.IndexFunc(shown, t.names)
	if i < 0 {
		return fmt.Errorf("%w: its CA is not the one that the token names; is the address right, and the token of that cluster? If the CA was rotated since, make another token. Nothing was sent", ErrOtherCluster)
	}
	pool := poolOf(append(lineage.Following(shown[i:i+1], shown), shown[i])...)
	_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool})
	return err
}
