package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// Identity is whose a director's data and certificate are. Admitted, the index of the entry that let the member in, lets a
// director that is behind tell a member that it has not heard of yet from one that was removed.
type Identity struct {
	ClusterID string `json:"cluster_id"`
	Name      string `json:"name"`
	ID        string `json:"id"`
	Admitted  uint64 `json:"admitted"`
}

// Hostname is the name under which a member's certificate is checked. It is no DNS name.
func Hostname(id string) string { return id + ".director.quorate" }

func (p Identity) uri() *url.URL {
	return &url.URL{Scheme: "quorate", Host: p.ClusterID, Path: "/" + p.ID + "/" + p.Name, RawQuery: "admitted=" + strconv.FormatUint(p.Admitted, 10)}
}

// IdentityOf reads a member's identity from its certificate, whose signature the caller has checked.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	for _, u := range cert.URIs {
		if u.Scheme != "quorate" || len(u.Path) < 38 {
			continue
		}
		admitted, err := strconv.ParseUint(u.Query().Get("admitted"), 10, 64)
		if err != nil {
			return Identity{}, fmt.Errorf("certificate of %q: %w", cert.Subject.CommonName, err)
		}
		p := Identity{ClusterID: u.Host, ID: u.Path[1:37], Name: u.Path[38:], Admitted: admitted}
		if p.Name != cert.Subject.CommonName {
			break
		}
		return p, nil
	}
	return Identity{}, fmt.Errorf("certificate of %q is not a member's", cert.Subject.CommonName)
}

// MemberID returns the ID of the member that has a key. A token that is used up lets its user in again,
// whose answer may have been lost; so an ID must be nobody's but the one's who has the key.
func MemberID(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("ID of a key: %w", err)
	}
	return uuid.NewHash(sha256.New(), uuid.Nil, der, 8).String(), nil
}
