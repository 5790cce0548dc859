package syntax

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// openLine is a block with a key in its first line, which is not closed in that line: HCL does not allow it.
type openLine struct {
	brace  hcl.Range // the brace that opens the block
	key    int       // where the key ends
	end    int       // where the line ends
	goesOn bool      // the next lines look as if they belonged to the block, and closed it
}

// maxOpenLines bounds how many times a file is parsed again because of open lines.
const maxOpenLines = 16

// Parse parses a file. At an open line the parser skips everything up to some closing brace, which hides the mistakes there
// and puts what follows into the wrong block. So the file is parsed as such lines were meant: said holds the errors about the
// lines themselves, and diags those about the file with the lines put right.
func Parse(src []byte, filename string) (file *hcl.File, said, diags hcl.Diagnostics) {
	asIs, told := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	file, diags = asIs, told
	read := src // open lines will be blanked out in it, so that everything else keeps its place
	var all []openLine
	for range maxOpenLines { // the parser finds only the first of several
		open, of := openLines(read, filename, diags)
		if len(open) == 0 {
			break
		}
		read = bytes.Clone(read)
		for _, o := range open {
			o.blank(read)
		}
		all, said = append(all, open...), append(said, of...)
		file, diags = hclsyntax.ParseConfig(read, filename, hcl.InitialPos)
	}
	if len(all) > 0 && (Unclosed(diags) != nil || Stray(diags, read, 0) != nil) { // the guess was wrong: the braces do not fit now
		return asIs, nil, told
	}
	for _, o := range all {
		said = append(said, o.graft(src, file)...)
	}
	return file, said, diags
}

// openLines returns the open lines that the parser reports, and what it says about them.
func openLines(src []byte, filename string, diags hcl.Diagnostics) (all []openLine, said hcl.Diagnostics) {
	var tokens hclsyntax.Tokens
	for _, diag := range diags {
		if diag.Summary != "Invalid single-argument block definition" || diag.Subject == nil {
			continue
		}
		if tokens == nil {
			tokens, _ = hclsyntax.LexConfig(src, filename, hcl.InitialPos)
		}
		if o, ok := openAt(src, tokens, diag.Subject.Start.Byte); ok {
			all, said = append(all, o), append(said, diag)
		}
	}
	return all, said
}

// openAt returns the open line whose key ends at a byte, where the parser missed the closing brace.
func openAt(src []byte, tokens hclsyntax.Tokens, at int) (o openLine, ok bool) {
	o.key = at
	from := slices.IndexFunc(tokens, func(t hclsyntax.Token) bool { return t.Range.Start.Byte >= at })
	depth := 0
	for i := from - 1; depth >= 0; i-- { // back to the brace
		if i < 0 || depth == 0 && endsLine(tokens[i]) {
			return o, false
		}
		depth -= nests(tokens[i].Type)
		o.brace = tokens[i].Range
	}
	if src[o.brace.Start.Byte] != '{' {
		return o, false
	}
	depth = 0
	for _, t := range tokens[from:] { // and on to the end of the line
		if depth += nests(t.Type); depth < 0 {
			return o, false // it is closed there
		}
		if depth == 0 && endsLine(t) {
			o.end = t.Range.Start.Byte
			o.goesOn = goesOn(src, o.brace.Start.Byte, t.Range.End.Byte)
			return o, true
		}
	}
	return o, false
}

// endsLine reports whether a token is the end of a line, which a comment may have.
func endsLine(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n"))
}

// goesOn reports whether the line behind an open one looks as if it belonged to the same block: it is indented further, or closes it.
func goesOn(src []byte, brace, behind int) bool {
	line := src[bytes.LastIndexByte(src[:brace], '\n')+1:]
	next := bytes.TrimLeft(src[behind:], "\r\n")
	for len(next) > 0 && len(bytes.TrimSpace(next[:lineLength(next)])) == 0 {
		next = bytes.TrimLeft(next[lineLength(next):], "\r\n")
	}
	deep := indented(next) - indented(line)
	return deep > 0 || deep == 0 && bytes.HasPrefix(next[indented(next):], []byte("}"))
}

func lineLength(src []byte) int {
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		return i
	}
	return len(src)
}

func indented(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }

// blank overwrites the rest of the line behind the brace with spaces, and closes the block there unless it goes on.
func (o openLine) blank(src []byte) {
	for i := o.brace.End.Byte; i < o.end; i++ {
		if src[i] != '\n' && src[i] != '\r' {
			src[i] = ' '
		}
	}
	if !o.goesOn {
		src[o.brace.End.Byte] = '}'
	}
}

// graft puts the key that was blanked out back into the block.
func (o openLine) graft(src []byte, file *hcl.File) hcl.Diagnostics {
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	block := blockAt(body, o.brace.Start.Byte)
	line, diags := hclsyntax.ParseConfig(append(bytes.Clone(src[o.brace.End.Byte:o.key]), '\n'), o.brace.Filename, o.brace.End)
	key, ok := line.Body.(*hclsyntax.Body)
	if !ok || block == nil {
		return diags
	}
	for name, attr := range key.Attributes {
		if other := block.Attributes[name]; other != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Subject: &other.NameRange,
				Detail: fmt.Sprintf("the key %q was set on line %d already", name, attr.NameRange.Start.Line),
			})
			continue
		}
		block.Attributes[name] = attr
	}
	return diags
}

// blockAt returns the body of the block that the brace at a byte opens.
func blockAt(body *hclsyntax.Body, brace int) *hclsyntax.Body {
	for _, b := range body.Blocks {
		if b.OpenBraceRange.Start.Byte == brace {
			return b.Body
		}
		if found := blockAt(b.Body, brace); found != nil {
			return found
		}
	}
	return nil
}
