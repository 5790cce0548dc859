// Package syntax turns the bytes of a cluster file into HCL's blocks, or says why that cannot be: it knows how files are
// written, and nothing of what they mean.
//
// It promises that nothing reaches the parser which would exhaust its stack or take a time of its own; that a line
// which begins a block and does not close it hides nothing that is wrong behind it; and that a large file can be parsed in
// pieces which are the same as the whole.
package syntax
