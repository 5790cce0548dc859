package keepalived

import (
	"encoding/hex"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// maxPassword is how many bytes an advert of version 2 has for a password.
const maxPassword = 8

// auth sets what authenticates adverts.
func (m *model) auth(i *instance, r *fsm.Router) {
	h := m.host
	at, said := i.at["authentication"]
	if said {
		switch kind := strings.ToUpper(i.authType); {
		case r.Version != 2:
			h.notes.Dropped(at, inVRRP+" authentication", "version 3 of VRRP has no passwords; keepalived leaves it out too")
		case kind == "PASS" && i.authPass != "":
			key := i.authPass[:min(maxPassword, len(i.authPass))]
			r.Auth = &fsm.Auth{Kind: fsm.AuthPassword, Key: key}
			h.notes.Carried(at, inVRRP+" authentication", "`auth \"password\"`; every advert shows it")
		case kind == "AH":
			h.notes.Dropped(at, inVRRP+" authentication", "quorate sends no AH, and keepalived drops adverts without it: %s", stopFirst)
		default:
			h.notes.Dropped(at, inVRRP+" authentication", "quorate sends no AH: directors would not hear each other")
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

// readKey reads key N hex:DIGITS or key N TEXT.
func readKey(h *host, i *instance, s *Statement) {
	const block = "auth_hmac"
	n, ok := h.number(block, s, 1, 255)
	if !ok {
		return
	}
	text := s.Arg(1)
	if strings.HasPrefix(text, "file:") {
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
	if _, known := i.keys[uint8(n)]; !known {
		i.keyOrder = append(i.keyOrder, uint8(n))
	}
	i.keys[uint8(n)] = strings.ToLower(key)
}
