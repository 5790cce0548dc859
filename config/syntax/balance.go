package syntax

import "github.com/hashicorp/hcl/v2"

// Unclosed returns what the parser says of a block without a closing brace, or nil. It says it of one, the last that was begun.
func Unclosed(diags hcl.Diagnostics) *hcl.Diagnostic {
	for _, diag := range diags {
		if diag.Summary == "Unclosed configuration block" {
			return diag
		}
	}
	return nil
}

// Stray returns what the parser says of a closing brace of the top level that closes nothing, in words of our own, or nil. It
// reads nothing that stands behind one. A source of which the parser was told that it begins later in a file begins at from.
func Stray(diags hcl.Diagnostics, src []byte, from int) *hcl.Diagnostic {
	for _, diag := range diags {
		if diag.Summary != "Argument or block definition required" || diag.Subject == nil {
			continue
		}
		if at := diag.Subject.Start.Byte - from; at < len(src) && src[at] == '}' {
			diag.Detail = "This brace closes no block: it is one too many, or one before it is."
			return diag
		}
	}
	return nil
}
