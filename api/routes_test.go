package api

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestEveryRouteSaysWhoMayUseIt(t *testing.T) {
	there := newRouter(nobody{}).patterns
	if dup := slices.Sorted(slices.Values(there)); len(slices.Compact(slices.Clone(dup))) != len(there) {
		t.Errorf("a route is there twice: %q", dup)
	}
	for _, pattern := range there {
		need, ok := routes[pattern]
		if !ok {
			t.Errorf("%s: nobody says who may use it", pattern)
		}
		if !need.role.Asks() {
			t.Errorf("%s is open to the role %q", pattern, need.role)
		}
		if write := strings.HasPrefix(pattern, "POST"); write && need.role == fsm.RoleViewer {
			t.Errorf("%s: a viewer only reads", pattern)
		}
	}
	for pattern := range routes {
		if !slices.Contains(there, pattern) {
			t.Errorf("%s is not served", pattern)
		}
	}
}

// An agent without methods: what reaches it panics.
type nobody struct{ Agent }

func TestTheHandlerAsksForTheRole(t *testing.T) {
	for _, pattern := range slices.Sorted(maps.Keys(routes)) {
		need := routes[pattern]
		for _, c := range []Caller{
			{Name: "nobody", Local: true},
			{Name: "d1", Role: fsm.RoleDirector, Local: true},
			{Name: "ann", Role: fsm.RoleViewer}, {Name: "ann", Role: fsm.RoleViewer, Local: true},
			{Name: "bob", Role: fsm.RoleOperator}, {Name: "bob", Role: fsm.RoleOperator, Local: true},
			{Name: "eve", Role: fsm.RoleAdmin}, {Name: "root", Role: fsm.RoleAdmin, Local: true},
		} {
			may := c.Role.Covers(need.role) && (c.Local || !need.local)
			method, path, _ := strings.Cut(pattern, " ")
			w := httptest.NewRecorder()
			reached := reaches(func() {
				Handler(nobody{}, func(context.Context) Caller { return c }).ServeHTTP(w, httptest.NewRequest(method, path+"?from=1&to=2", strings.NewReader("{}")))
			})
			if reached != may {
				t.Errorf("%s for %+v: the agent is asked %v, want %v", pattern, c, reached, may)
			}
			if !may && (w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"error"`)) {
				t.Errorf("%s for %+v: %d %s", pattern, c, w.Code, w.Body)
			}
		}
	}
}

func reaches(f func()) (reached bool) {
	defer func() { reached = recover() != nil }()
	f()
	return false
}

func TestTheDocsSayWhoMayUseEachRoute(t *testing.T) {
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(doc), "### Roles\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/operations.md has no section on roles")
	}
	for _, role := range []fsm.Role{fsm.RoleViewer, fsm.RoleOperator, fsm.RoleAdmin} {
		var want []string
		for pattern, need := range routes {
			if need.role == role {
				_, path, _ := strings.Cut(pattern, " ")
				want = append(want, strings.TrimPrefix(path, "/v1/"))
			}
		}
		slices.Sort(want)
		line := "| " + string(role) + " | `" + strings.Join(slices.Compact(want), "`, `") + "` |"
		if !strings.Contains(section, line) {
			t.Errorf("the section on roles has no line\n%s", line)
		}
	}
}
