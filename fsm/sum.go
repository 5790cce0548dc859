package fsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/bits"
	"net/netip"
	"reflect"
	"strconv"
)

// LevelSum is the feature level from which on the hash of a state is its sum. The sum itself is kept at every level.
const LevelSum = LevelKeys

// A sum is a number for a state: the SHA-256 of every object in it - a service, a verdict, a group - added up modulo
// 2^256. Since addition has an inverse and no order, [Apply] keeps it at the cost of what an entry changed: the old
// objects' numbers are taken away, the new ones' added. (Of routers, sync groups and tracks all of a kind are compared
// where one has changed.) And since it depends on nothing but the state, who adds all of it up anew must come to the
// same: that is the scrub, [State.Verify].
//
// It finds what was not meant: a flipped bit, a replica that went another way. An adversary could find two states of
// one sum (Wagner, 2002); but who can choose what is in the state has the cluster already.
type sum [4]uint64

func (a *sum) add(b sum) {
	var carry uint64
	for i := range a {
		a[i], carry = bits.Add64(a[i], b[i], carry)
	}
}

func (a *sum) sub(b sum) {
	var borrow uint64
	for i := range a {
		a[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
}

func (a sum) String() string {
	var b [32]byte
	for i, limb := range a {
		binary.LittleEndian.PutUint64(b[8*i:], limb)
	}
	return hex.EncodeToString(b[:])
}

// object is the number of one object.
func object(kind, key string, text []byte) sum {
	var room [512]byte
	return numbered(sha256.Sum256(append(beginning(room[:0], kind, key), text...)))
}

// beginning appends what an object's text comes after.
func beginning(to []byte, kind, key string) []byte {
	return append(append(append(append(to, kind...), 0), key...), 0)
}

func numbered(digest [32]byte) (s sum) {
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(digest[8*i:])
	}
	return s
}

// text is the canonical form of an object: that of the snapshot, so that a state that was written and read has the
// same sum.
func text(v any) []byte {
	if svc, ok := v.(Service); ok && len(svc.Servers) > 0 {
		return svc.appendText(nil)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("fsm: state cannot be encoded: " + err.Error()) // only types that always encode are in it
	}
	return b
}

// appendText appends the text of a service, of which most is its servers: their part is written here, since to have each address
// written by JSON's writer takes ten times as long.
func (s Service) appendText(b []byte) []byte {
	const none = `"servers":null`
	list := s.Servers
	s.Servers = nil
	before, after, ok := bytes.Cut(text(s), []byte(none)) // no string in it can look like that: it has a backslash before each quote
	if !ok {
		panic("fsm: the text of a service has another form")
	}
	b = append(append(b, before...), `"servers":[`...)
	for i, server := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = server.appendText(b)
	}
	return append(append(b, ']'), after...)
}

// appendString appends the text of a string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(b, text(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendText appends a server's text: that of JSON's writer.
func (s Server) appendText(b []byte) []byte {
	if s.Forward != "" || s.Address.Addr().Zone() != "" { // few have one
		return append(b, text(s)...)
	}
	b = append(b, `{"address":"`...)
	if s.Address != (netip.AddrPort{}) {
		b = s.Address.AppendTo(b)
	}
	b = strconv.AppendUint(append(b, `","weight":`...), uint64(s.Weight), 10)
	if s.Inhibit {
		b = append(b, `,"inhibit":true`...)
	}
	return append(b, '}')
}

// between is what one state's sum is above another's, but for the small rest of it. What both share costs nothing: it is not
// looked into.
func between(was, is *State) sum {
	d := ofNamed("service", was.Config.Services, is.Config.Services)
	for _, part := range [...]sum{
		ofMap("router", was.Config.Routers, is.Config.Routers),
		ofMap("sync-group", was.Config.SyncGroups, is.Config.SyncGroups),
		ofMap("track", was.Config.Tracks, is.Config.Tracks),
		ofVerdicts(was.Verdicts, is.Verdicts),
		ofMap("member", was.Members, is.Members),
		ofMap("group", was.Groups, is.Groups),
		ofMap("former", was.Former, is.Former),
		ofMap("token", was.secrets.Tokens, is.secrets.Tokens),
		ofMap("key", was.secrets.VRRPKeys, is.secrets.VRRPKeys),
		ofMap("other-key", was.secrets.VRRPOtherKeys, is.secrets.VRRPOtherKeys),
		ofMap("former-keys", was.secrets.Former, is.secrets.Former),
		ofList("revision", was.History, is.History, Past.key, Past.same),
		ofList("ended", was.Ended, is.Ended, Ended.key, Ended.same),
		ofRequests(was.Requests, is.Requests),
	} {
		d.add(part)
	}
	return d
}

func (p Past) key() string { return strconv.FormatUint(p.Revision, 10) }

// same reports whether two are one, and not only alike.
func (p Past) same(other Past) bool {
	a, b := p.Back, other.Back
	return p.Revision == other.Revision && p.Note == other.Note && p.Confirmed == other.Confirmed &&
		sameMap(a.Routers, b.Routers) && sameMap(a.SyncGroups, b.SyncGroups) && sameMap(a.Services, b.Services) && sameMap(a.Tracks, b.Tracks)
}

func (r Request) object() sum {
	var key, value [128]byte
	k := append(append(strconv.AppendUint(key[:0], r.Index, 10), ' '), r.ID...)
	v := appendString(append(value[:0], `{"id":`...), r.ID) // as text writes it
	v = append(strconv.AppendUint(append(v, `,"index":`...), r.Index, 10), '}')
	return object("request", string(k), v)
}

// ofList is [ofMap] for a list of objects with keys. One that is the same in both is not looked into. It is quick where what is
// in both stands in both in one order, as where some were taken away and others added at the end.
func ofList[V any](kind string, was, is []V, key func(V) string, same func(a, b V) bool) (d sum) {
	if shared(was, is) {
		return d
	}
	for i := range was {
		if len(is) > 0 && same(was[i], is[0]) {
			is = is[1:]
		} else {
			d.sub(object(kind, key(was[i]), text(was[i])))
		}
	}
	for i := range is {
		d.add(object(kind, key(is[i]), text(is[i])))
	}
	return d
}

// ofMap is what a map's objects add up to above another's. Those that are the same in both have no number taken. It is quick
// where they share what they are made of.
func ofMap[K comparable, V any](kind string, was, is map[K]V) (d sum) {
	if sameMap(was, is) {
		return d
	}
	for k, v := range is {
		if w, had := was[k]; had {
			d.add(ofOne(kind, k, &w, &v))
		} else {
			d.add(ofOne(kind, k, nil, &v))
		}
	}
	for k, w := range was {
		if _, there := is[k]; !there {
			d.add(ofOne(kind, k, &w, nil))
		}
	}
	return d
}

// ofNamed is [ofMap] for what there is more of.
func ofNamed[V any](kind string, was, is Map[V]) (d sum) {
	for name := range is.Since(was) {
		d.add(ofOne(kind, name, was.at(name), is.at(name)))
	}
	return d
}

// ofOne is what an object's number is above that of what it was. Nil has none.
func ofOne[K comparable, V any](kind string, key K, was, is *V) (d sum) {
	if reflect.DeepEqual(was, is) {
		return d
	}
	if is != nil {
		d.add(object(kind, keyText(key), text(*is)))
	}
	if was != nil {
		d.sub(object(kind, keyText(key), text(*was)))
	}
	return d
}

func keyText(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case uint64:
		return strconv.FormatUint(k, 10)
	}
	panic("fsm: an object without a name")
}

// ofVerdicts is [ofMap] for what there is most of.
func ofVerdicts(was, is Verdicts) (d sum) {
	for service := range is.services.Since(was.services) {
		d.add(ofService(service, was.services.Of(service), is.services.Of(service)))
	}
	return d
}

// ofService walks through both lists at once: they are sorted.
func ofService(service string, was, is servers) (d sum) {
	for len(was) > 0 || len(is) > 0 {
		order := 0
		switch {
		case len(was) == 0:
			order = 1
		case len(is) == 0:
			order = -1
		default:
			order = was[0].Server.Compare(is[0].Server)
		}
		same := order == 0 && (was[0] == is[0] || was[0].Verdict == is[0].Verdict)
		if order >= 0 {
			if !same {
				d.add(is[0].Verdict.object(service, is[0].Server))
			}
			is = is[1:]
		}
		if order <= 0 {
			if !same {
				d.sub(was[0].Verdict.object(service, was[0].Server))
			}
			was = was[1:]
		}
	}
	return d
}

// object is the number of a verdict. Health is no free text, so the parts cannot run into each other.
func (v Verdict) object(service string, server netip.AddrPort) sum {
	var room [256]byte
	b := server.AppendTo(room[:0])
	b = append(append(append(b, 0), v.Health...), 0)
	return object("verdict", service, append(b, v.Cause...))
}

// sameMap reports whether two maps are one.
func sameMap[M ~map[K]V, K comparable, V any](a, b M) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

// kept is a state's sum, and the part of it that changes with each entry.
type kept struct {
	total sum
	rest  rest
}

// whole adds all of a state up.
func (s *State) whole() kept {
	k, _ := s.added(func() bool { return true })
	return k
}

// added is [State.whole] with a pause after each service, and after the verdicts of each. It is given up, and reports false,
// when the pause does.
func (s *State) added(pause func() bool) (kept, bool) {
	few := *s
	few.Config.Services, few.Verdicts = Map[Service]{}, Verdicts{}
	k := kept{rest: s.rested(s, rest{})}
	k.total = between(&Empty, &few)
	k.total.add(k.rest.number)
	k.total.sub(Empty.rested(&Empty, rest{}).number) // the sum of no entry is 0
	var room []byte                                  // for one after the other: what each leaves behind has the collector run
	for name, svc := range s.Config.Services.All() {
		if len(svc.Servers) > 0 {
			room = svc.appendText(beginning(room[:0], "service", name))
			k.total.add(numbered(sha256.Sum256(room)))
		} else {
			k.total.add(object("service", name, text(svc)))
		}
		if !pause() {
			return kept{}, false
		}
	}
	for service, servers := range s.Verdicts.services.All() {
		k.total.add(ofService(service, nil, servers))
		if !pause() {
			return kept{}, false
		}
	}
	return k, true
}

// summed is the sum that was kept, or all of it added up if none was: of a state that did not come about by [Apply].
func (s *State) summed() kept {
	if s.kept == nil {
		return s.whole()
	}
	return *s.kept
}

// keep makes a state's sum from that of the state before it.
func (s *State) keep(was *State) {
	before := was.summed()
	k := kept{before.total, s.rested(was, before.rest)}
	k.total.add(between(was, s))
	k.total.add(k.rest.number)
	k.total.sub(before.rest.number)
	s.kept = &k
}

// ErrCorrupt means that a state in memory is not what the log has led to.
var ErrCorrupt = errors.New("the state in memory is not what the log has led to: memory of this host, or a program on it, is faulty")

// ErrGivenUp means that it is not known whether a state is right.
var ErrGivenUp = errors.New("the state was not verified to its end")

// Verify adds all of the state up and compares that with the sum that [Apply] kept. A director does it beside its work, again
// and again, since nothing else would find a byte that flipped in what no command touches.
func (s State) Verify() error { return s.VerifySlowly(func() bool { return true }) }

// VerifySlowly is [State.Verify] in [State.Pauses] small parts, with a pause after each, so that what is to be done at once waits
// for none of a large state. It is given up when the pause reports false, and that is an [ErrGivenUp].
func (s State) VerifySlowly(pause func() bool) error {
	if s.kept == nil {
		return nil
	}
	k, ok := s.added(pause)
	if !ok {
		return ErrGivenUp
	}
	if k.total != s.kept.total {
		return ErrCorrupt
	}
	return nil
}

// Pauses is how often [State.VerifySlowly] pauses.
func (s State) Pauses() int { return s.Config.Services.Len() + s.Verdicts.services.Len() }

// Sealed returns the state with the sum of what is in it now.
func (s State) Sealed() State {
	total := s.whole()
	s.kept = &total
	return s
}
