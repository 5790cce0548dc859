package logstore

import "testing"

func FuzzParseRecord(f *testing.F) {
	f.Add(FormatRecord(0))
	f.Add(FormatRecord(1<<64 - 1))
	f.Add("00000000000000000007 00000000\n")
	f.Fuzz(func(t *testing.T, text string) {
		if index := parseRecord(text); index != 0 && FormatRecord(index) != text {
			t.Fatalf("%q is read as %d", text, index)
		}
	})
}
