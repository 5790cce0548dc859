package fsm

import "bytes"

// readVerdicts is [body] of the command that there are most of by far, as [Encode] writes it. What is not ok is read as JSON:
// what has other spaces or fields, or letters in a key that are written otherwise than they are. See [cutEnvelope].
func readVerdicts(text []byte) (SetVerdicts, bool) {
	text, begins := bytes.CutPrefix(text, []byte(`{"Verdicts":`))
	text, ends := bytes.CutSuffix(text, []byte(`}`))
	all, ok := readVerdictsBy(text)
	return SetVerdicts{all}, begins && ends && ok
}

// readVerdictsBy reads verdicts by server, of which there is one at least.
func readVerdictsBy(text []byte) (map[ServerKey]Verdict, bool) {
	text, begins := bytes.CutPrefix(text, []byte(`{`))
	text, ends := bytes.CutSuffix(text, []byte(`}`))
	if !begins || !ends {
		return nil, false
	}
	all := make(map[ServerKey]Verdict, 1)
	for n := 0; ; n++ {
		key, rest, isKey := cutString(text)
		var k ServerKey
		if !isKey || k.UnmarshalText(key) != nil {
			return nil, false
		}
		v, rest, isVerdict := readVerdict(rest)
		all[k] = v
		if !isVerdict || len(all) == n { // a key that is there twice
			return nil, false
		}
		if len(rest) == 0 {
			return all, true
		}
		var more bool
		if text, more = bytes.CutPrefix(rest, []byte(",")); !more {
			return nil, false
		}
	}
}

// readVerdict reads what is behind a key, and returns what is behind that.
func readVerdict(text []byte) (v Verdict, rest []byte, ok bool) {
	text, begins := bytes.CutPrefix(text, []byte(`:{"health":`))
	health, rest, isString := cutString(text)
	if !begins || !isString {
		return v, nil, false
	}
	v.Health = Health(health)
	if text, more := bytes.CutPrefix(rest, []byte(`,"cause":`)); more {
		if v.Cause, rest, isString = cutText(text); !isString {
			return v, nil, false
		}
	}
	rest, ok = bytes.CutPrefix(rest, []byte("}"))
	return v, rest, ok
}
