//go:build oldlevel

package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newer are the kinds of command that level 3 brought.
var newer = []string{"offer-gossip-key-v1", "offer-ca-v1", "turn-key-v1", "drop-key-v1"}

// TestAnOlderBinaryReadsAndWritesItsLevelAndRefusesWhatIsNewer holds the build of the level before against the golden
// entries: those of its level come back byte by byte, and no later one is taken.
func TestAnOlderBinaryReadsAndWritesItsLevelAndRefusesWhatIsNewer(t *testing.T) {
	files, err := filepath.Glob("testdata/entry-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden entries %v: %v", files, err)
	}
	refused := map[string]bool{}
	for _, file := range files {
		entry, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		entry = bytes.TrimSuffix(entry, []byte("\n"))
		kind := strings.TrimSuffix(filepath.Base(file)[len("entry-00-"):], ".json")
		c, err := Decode(entry)
		if kind == "add-token-v1" && err != nil && strings.Contains(err.Error(), "unknown field \"ca\"") {
			continue // one of the newest level
		}
		if errors.Is(err, ErrUnknownCommand) {
			refused[kind] = true
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if again, err := Encode(c); err != nil || !bytes.Equal(again, entry) {
			t.Errorf("%s comes back as %s: %v", file, again, err)
		}
	}
	for _, kind := range newer {
		if !refused[kind] {
			t.Errorf("%s is not refused", kind)
		}
		delete(refused, kind)
	}
	if len(refused) > 0 {
		t.Errorf("refused, and of its level: %v", refused)
	}
}

func TestAnOlderBinaryComesToTheGoldenHash(t *testing.T) {
	golden(t, "hash.txt", []byte(play(t, history()).Hash()+"\n"))
}

func TestAnOlderBinaryReadsAndWritesItsSnapshotsAndRefusesNewerOnes(t *testing.T) {
	for _, name := range []string{"snapshot.txt", "snapshot-history.txt", "snapshot-requests.txt", "snapshot-recovered.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadSnapshot(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var b bytes.Buffer
		if err := WriteSnapshot(&b, s); err != nil || !bytes.Equal(b.Bytes(), text) {
			t.Errorf("%s comes back as another: %v", name, err)
		}
	}
	for _, name := range []string{"snapshot-rotation.txt", "snapshot-ended.txt"} {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := ReadSnapshot(f); err == nil || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOlderBinaryRefusesANewerFieldOfACommand(t *testing.T) {
	with := func(change func(*Secrets)) Command {
		first := level2()
		change(&first.Secrets)
		return first
	}
	for name, c := range map[string]Command{
		"gossip_next":   with(func(s *Secrets) { s.GossipNext = []byte("next") }),
		"gossip_former": with(func(s *Secrets) { s.GossipFormer = []byte("former") }),
		"ca_next":       with(func(s *Secrets) { s.CANext = &Authority{} }),
		"ca_former":     with(func(s *Secrets) { s.CAFormer = []byte("former") }),
		"ca_links":      with(func(s *Secrets) { s.CALinks = []Link{{}} }),
		"ca":            AddToken{Token: Token{CA: "ca"}},
	} {
		entry, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(entry); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("unknown field %q", name)) {
			t.Errorf("%s: %v", c.kind(), err)
		}
	}
}
