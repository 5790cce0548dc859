package syntax

// plain reports whether a file uses so little of the language that [Tokens] cannot object to it: only words, numbers, texts,
// lists and blocks, which are not nested too deeply. Files that programs write are like that, and looking at bytes takes a
// twentieth of the time that their tokens would.
func plain(src []byte) bool {
	depth, last := 0, byte('\n') // last: the kind of what came before, blanks left out
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '\n' || c == ',':
		case c == '=':
			if last == '=' {
				return false
			}
		case c == '{' || c == '[' && last != ']' && last != 'a': // else it is an index
			if depth++; depth > maxNesting {
				return false
			}
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return false
			}
		default:
			n := plainWord(src[i:])
			if n == 0 {
				return false
			}
			last, i = kindOf(c), i+n
			continue
		}
		last, i = c, i+1
	}
	return depth == 0
}

// kindOf is a word's, a number's or a text's, by how it begins.
func kindOf(c byte) byte {
	switch {
	case letter(c):
		return 'a'
	case digit(c):
		return '0'
	}
	return c
}

// plainWord returns the length of the plain word, number or text at the beginning of src, or 0 if there is none.
func plainWord(src []byte) int {
	n := 1
	switch c := src[0]; {
	case letter(c):
		for n < len(src) && (letter(src[n]) || digit(src[n]) || src[n] == '_' || src[n] == '-') {
			n++
		}
		return n
	case digit(c):
		for n < len(src) && digit(src[n]) {
			n++
		}
		if n > maxDigits || n < len(src) && (letter(src[n]) || src[n] == '.') {
			return 0
		}
		return n
	case c == '"':
		for n < len(src) && literal(src[n]) {
			n++
		}
		if n < len(src) && src[n] == '"' {
			return n + 1
		}
	}
	return 0
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// literal reports whether a byte in a text in quotes stands for itself.
func literal(c byte) bool {
	return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '$' && c != '%'
}
