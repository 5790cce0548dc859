package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPageKeepsWhatWasNotMeasuredThisTime(t *testing.T) {
	dir := t.TempDir()
	file, run := filepath.Join(dir, "page.md"), filepath.Join(dir, "run.md")
	what := subject{parts: []part{{name: "death"}, {name: "move"}, {name: "idle"}}}
	for _, tt := range []struct{ name, run, want string }{
		{"the first run", "# Head 1\n\n" + marked("idle") + "\n## Idle\n\nMeasured on Monday.\n", "# Head 1\n\n" + marked("idle") + "\n## Idle\n\nMeasured on Monday.\n"},
		{
			"another part", "# Head 2\n\n" + marked("death") + "\n## Death\n\nMeasured on Tuesday.\n",
			"# Head 2\n\n" + marked("death") + "\n## Death\n\nMeasured on Tuesday.\n\n" + marked("idle") + "\n## Idle\n\nMeasured on Monday.\n",
		},
		{
			"the same part again", "# Head 3\n\n" + marked("idle") + "\n## Idle now\n\nMeasured on Wednesday.\n",
			"# Head 3\n\n" + marked("death") + "\n## Death\n\nMeasured on Tuesday.\n\n" + marked("idle") + "\n## Idle now\n\nMeasured on Wednesday.\n",
		},
	} {
		if err := os.WriteFile(run, []byte(tt.run), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := merge(what, file, run); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || err != nil {
			t.Errorf("%s (-want +got): %v\n%s", tt.name, err, diff)
		}
	}
	if err := os.WriteFile(run, []byte("bench: keepalived is not installed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := merge(what, file, run); err == nil {
		t.Error("a run without results was merged")
	}
}
