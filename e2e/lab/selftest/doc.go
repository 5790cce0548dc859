// Package selftest tests how the lab starts and ends, from outside. It has no code of its own.
package selftest
