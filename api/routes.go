package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Caller is who asks, as the agent found out: by the credentials of a socket or by a certificate.
type Caller struct {
	Name  string   // for people
	Role  fsm.Role // none that asks: nothing is answered
	Local bool     // through the socket of the agent's own host
}

// access is what a route asks of its caller.
type access struct {
	role  fsm.Role
	local bool // only through the socket of the host itself
}

// routes says who may use which part of the API; what is not in it is open to nobody. A viewer may use what only reads, unless
// it could reveal a secret: the plan of a file shows whether a key in the file is the cluster's.
var routes = map[string]access{
	"GET /v1/status":  {role: fsm.RoleViewer},
	"GET /v1/events":  {role: fsm.RoleViewer},
	"GET /v1/explain": {role: fsm.RoleViewer},
	"GET /v1/config":  {role: fsm.RoleViewer},
	"GET /v1/history": {role: fsm.RoleViewer},
	"GET /v1/diff":    {role: fsm.RoleViewer},
	"GET /v1/keys":    {role: fsm.RoleViewer},
	"GET /v1/upgrade": {role: fsm.RoleViewer},

	"POST /v1/plan":          {role: fsm.RoleOperator},
	"POST /v1/apply":         {role: fsm.RoleOperator},
	"POST /v1/edit/plan":     {role: fsm.RoleOperator},
	"POST /v1/edit":          {role: fsm.RoleOperator},
	"POST /v1/rollback/plan": {role: fsm.RoleOperator},
	"POST /v1/rollback":      {role: fsm.RoleOperator},
	"POST /v1/confirm":       {role: fsm.RoleOperator},
	"POST /v1/drain":         {role: fsm.RoleOperator},
	"POST /v1/move":          {role: fsm.RoleOperator},

	"GET /v1/tokens":            {role: fsm.RoleAdmin},
	"POST /v1/tokens":           {role: fsm.RoleAdmin},
	"POST /v1/tokens/revoke":    {role: fsm.RoleAdmin},
	"POST /v1/certificates":     {role: fsm.RoleAdmin},
	"POST /v1/keys/rotate":      {role: fsm.RoleAdmin},
	"POST /v1/keys/finish":      {role: fsm.RoleAdmin},
	"POST /v1/remove":           {role: fsm.RoleAdmin},
	"POST /v1/upgrade/finish":   {role: fsm.RoleAdmin},
	"POST /v1/snapshot/save":    {role: fsm.RoleAdmin},
	"POST /v1/snapshot/plan":    {role: fsm.RoleAdmin},
	"POST /v1/snapshot/restore": {role: fsm.RoleAdmin},

	"POST /v1/init":         {role: fsm.RoleAdmin, local: true},
	"POST /v1/join":         {role: fsm.RoleAdmin, local: true},
	"POST /v1/leave":        {role: fsm.RoleAdmin, local: true},
	"POST /v1/recover/plan": {role: fsm.RoleAdmin, local: true},
	"POST /v1/recover":      {role: fsm.RoleAdmin, local: true},
}

// allow says why a caller may not use a route, if it may not.
func allow(pattern string, c Caller) error {
	need := routes[pattern]
	switch {
	case !c.Role.Asks():
		return fmt.Errorf("%s has no role here: ask as root, as a member of a group that the agent file names, or with a certificate", c.Name)
	case need.local && !c.Local:
		command, _, _ := strings.Cut(strings.TrimPrefix(pattern, "POST /v1/"), "/")
		return fmt.Errorf("`quorate %s` is for the director on its own host alone, through its socket: run it there, without --address", command)
	case !c.Role.Covers(need.role):
		return fmt.Errorf("this needs the role %s, and %s is %s: ask as root, or with a certificate of that role", need.role, c.Name, c.Role)
	}
	return nil
}

// router is the API's mux. It knows what is in it.
type router struct {
	*http.ServeMux

	patterns []string
}

func (r *router) handle(pattern string, h http.HandlerFunc) {
	r.patterns = append(r.patterns, pattern)
	r.HandleFunc(pattern, h)
}
