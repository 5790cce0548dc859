package fsm

import (
	"bytes"
	"encoding/json"
)

// What is here takes JSON apart that this package wrote, and is not ok of all that is written otherwise.

// cutEnvelope takes an envelope apart as [Encode] writes it, since to read JSON costs most of what an entry costs. What is
// not ok is read as JSON, and so is what has no body then: where there is one, which is one value, there is nothing in
// the envelope that its reader would refuse or understand otherwise.
func cutEnvelope(entry []byte) (envelope, bool) {
	rest, begins := bytes.CutPrefix(entry, []byte(`{"kind":"`))
	kind, rest, named := bytes.Cut(rest, []byte(`","body":`))
	body, ends := bytes.CutSuffix(rest, []byte("}"))
	return envelope{Kind: string(kind), Body: body}, begins && named && ends
}

// cutString cuts a string in JSON off, if it is [plain].
func cutString(text []byte) (s, rest []byte, ok bool) {
	text, begins := bytes.CutPrefix(text, []byte(`"`))
	s, rest, ends := bytes.Cut(text, []byte(`"`))
	return s, rest, begins && ends && plain(s)
}

// cutText cuts a string off that may have letters which are written otherwise than they are, as a cause has that quotes an
// address: JSON's reader reads those, and none of what is around them.
func cutText(text []byte) (s string, rest []byte, ok bool) {
	if s, rest, ok := cutString(text); ok {
		return string(s), rest, true
	}
	end := 1
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] == '\\' {
			end++
		}
	}
	if end >= len(text) || text[0] != '"' || json.Unmarshal(text[:end+1], &s) != nil {
		return "", nil, false
	}
	return s, text[end+1:], true
}

// plain reports whether a string in JSON is what is between its quotes.
func plain(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}
