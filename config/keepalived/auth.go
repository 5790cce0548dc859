package keepalived

import (
	"cmp"
	"encoding/hex"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// maxPassword is how many bytes an advert of version 2 has for a password.
const maxPassword = 8

// auth sets what authenticates adverts.
func (m *model) auth(i *instance, r *fsm.Router) {
	h := m.host
	if at, said := i.at["authentication"]; said {
		const keyword = inVRRP + " authentication"
		switch kind, key := i.legacy(h, r.IPv6()); {
		case kind == "PASS" && i.hmac:
			h.notes.Dropped(at, keyword, "auth_hmac stands instead, as in keepalived")
		case kind == "PASS":
			r.Auth = &fsm.Auth{Kind: fsm.AuthPassword, Key: key}
			h.notes.Carried(at, keyword, "`auth \"password\"`; every advert shows it")
		case kind == "AH":
			h.notes.Dropped(at, keyword, "quorate sends no AH")
		case r.Version != 2:
			h.notes.Dropped(at, keyword, "version 3 of VRRP has no passwords; keepalived leaves it out too")
		case i.strictly(h):
			h.notes.Dropped(at, keyword, "strict mode has none; keepalived leaves it out too")
		default:
			h.notes.Dropped(at, keyword, "it needs auth_type PASS, and an auth_pass; keepalived leaves it out too")
		}
	}
	if !i.hmac {
		return
	}
	if r.Version == 2 || len(i.keyOrder) == 0 {
		h.notes.Dropped(i.at["auth_hmac"], inVRRP+" auth_hmac", "adverts are signed in version 3 of VRRP alone, with a key that stands in the file")
		return
	}
	a := &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: i.keyOrder[0]}
	if i.keys[i.activeKey] != "" {
		a.KeyID = i.activeKey
	}
	a.Key = i.keys[a.KeyID]
	for _, id := range i.keyOrder {
		if id != a.KeyID && a.OtherID == 0 {
			a.OtherID, a.OtherKey = id, i.keys[id]
		}
	}
	if a.KeyID == 1 {
		a.KeyID = 0 // the default
	}
	r.Auth = a
}

// legacy is what of `authentication` counts: of version 2, with a password, and not in strict mode.
func (i *instance) legacy(h *host, ipv6 bool) (kind, key string) {
	if i.speaks(h, ipv6) != 2 || i.authPass == "" || i.strictly(h) || i.authType != "PASS" && i.authType != "AH" {
		return "", ""
	}
	return i.authType, i.authPass[:min(maxPassword, len(i.authPass))]
}

// readKey reads key N hex:DIGITS or key N TEXT.
func readKey(h *host, i *instance, s *Statement) {
	const block = "auth_hmac"
	n, ok := h.number(block, s, 1, 255)
	if !ok {
		return
	}
	text := s.Arg(1)
	if strings.HasPrefix(text, "file:") {
		i.key(uint8(n), "")
		h.wrong(block, s, "the key is in a file, which is not read: put `key = \"HEX\"` into the auth block")
		return
	}
	key, isHex := strings.CutPrefix(text, "hex:")
	if !isHex {
		key = hex.EncodeToString([]byte(text))
	}
	if b, err := hex.DecodeString(key); err != nil || len(b) < 32 || len(b) > 64 {
		h.wrong(block, s, "a key has 32 to 64 bytes")
		return
	}
	if i.keys[uint8(n)] == "" {
		i.keyOrder = append(i.keyOrder, uint8(n))
	}
	i.key(uint8(n), strings.ToLower(key))
}

// key adds a key; it is "" of one that is not known.
func (i *instance) key(id uint8, key string) {
	i.firstKey = cmp.Or(i.firstKey, id)
	i.keys[id] = key
}
