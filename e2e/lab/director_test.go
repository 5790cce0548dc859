package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeQuorate is what the test binary is when it is called as quorate: enough of the command line for
// the lab to be tested without the real one. Its cluster is a file that all hosts see.
func fakeQuorate(args []string) {
	cluster := filepath.Join(labDir, "fake-cluster")
	members := func() []string {
		text, _ := os.ReadFile(cluster)
		return strings.Fields(string(text))
	}
	host := os.Getenv("LAB_HOST")
	socket := os.Getenv("QUORATE_SOCKET")
	switch args[0] {
	case "agent":
		text, err := os.ReadFile(args[2])
		if err != nil || !strings.Contains(string(text), "wan = \"eth0\"") {
			fmt.Println("agent file:", err, string(text))
			os.Exit(1)
		}
		keeper := exec.Command(os.Args[0], "keeper")
		keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		keeper.Start()
		l, err := net.Listen("unix", socket)
		if err != nil {
			fmt.Println("socket:", err)
			os.Exit(1)
		}
		http.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
			s := Status{Leader: "d1", Quorum: true, Groups: []GroupStatus{{Name: "gateway", Owner: "d2"}}}
			for _, m := range members() {
				s.Directors = append(s.Directors, DirectorStatus{Name: m, State: "alive", Ready: true})
			}
			json.NewEncoder(w).Encode(s)
		})
		http.Serve(l, nil)
	case "keeper":
		time.Sleep(time.Minute)
	case "init", "join":
		os.WriteFile(cluster, []byte(strings.Join(append(members(), host), " ")), 0o644)
	case "token":
		fmt.Println("secret")
	}
	os.Exit(0)
}

func TestAClusterIsMadeByTheCommandLine(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvBinary, self)
	os.Remove(filepath.Join(labDir, "fake-cluster"))
	a := NewArticle(t, 3)
	a.Cluster(t)
	d := a.Directors[1]
	s, err := d.Status()
	if err != nil || len(s.Directors) != 3 || s.Owner("gateway") != "d2" {
		t.Errorf("status %+v, %v", s, err)
	}
	a.Apply(ArticleFile)

	control, keeper := d.Control(), d.Keeper()
	if d.Control() != control || d.Keeper() != keeper {
		t.Error("a process that is known is found anew")
	}
	control.Kill()
	if control.Alive() || !keeper.Alive() {
		t.Error("the kill of control reached the wrong process")
	}
	if _, err := d.FindProcess("agent"); err == nil {
		t.Error("a dead control is still found")
	}
	if _, err := a.Directors[0].FindProcess("agent"); err != nil {
		t.Error(err)
	}
	keeper.Kill()
	if keeper.Alive() {
		t.Error("a keeper that was killed lives")
	}
}

// record is a T that fails without ending the test that it is for.
type record struct {
	*testing.T
	failed   bool
	logs     []string
	cleanups []func()
}

func (r *record) Failed() bool              { return r.failed }
func (r *record) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *record) Logf(f string, a ...any)   { r.logs = append(r.logs, fmt.Sprintf(f, a...)) }
func (r *record) Errorf(f string, _ ...any) { r.failed = true }

func TestAFailureLeavesEvidence(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvArtifacts, dir)
	r := &record{T: t}
	n := New(r)
	s := n.Segment("s")
	h := n.Host("h", s.At("192.0.2.1/24"))
	off := n.Host("off")
	off.Die()
	n.Capture(s, "")
	p := h.Start("program", "echo", "its last words")
	p.Wait(t.Context())
	r.Errorf("something is wrong")
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	found, _ := filepath.Glob(dir + "/" + t.Name() + "-*")
	if len(found) != 1 || !strings.Contains(strings.Join(r.logs, "\n"), found[0]) {
		t.Fatalf("evidence %v, told %q", found, r.logs)
	}
	for file, want := range map[string]string{
		"h/program.log": "its last words", "h/state.txt": "192.0.2.1/24", "off/state.txt": "off", "s-1.pcap": "",
	} {
		text, err := os.ReadFile(filepath.Join(found[0], file))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
}
