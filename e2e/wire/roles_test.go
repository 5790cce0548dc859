package wire

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestWhoAsksFromElsewhereHasTheRoleOfItsCertificate(t *testing.T) {
	t.Parallel()
	w := cluster(t, 2)
	w.quiet(t)
	d, other := w.Directors[0], w.Directors[1]
	file := d.WriteFile("web.hcl", routerFile)
	certificate := func(role string) (path, id string) {
		path = filepath.Join(t.TempDir(), "cert.pem")
		r := command(t, d, "cert", "create", "ann", "--role", role, "--lifetime", "1d", "--out", path).want(t, 0)
		return path, strings.Fields(r.err)[1]
	}
	ask := func(at *lab.Director, pem string, args ...string) result {
		return command(t, d, append(args, "--address", at.Bind, "--cert", pem, "--socket", "/nowhere")...)
	}
	known := func(at *lab.Director, pem string) {
		lab.Eventually(t, 10*time.Second, at.Name+" knows the certificate", func() error {
			if r := ask(at, pem, "status"); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
	}
	viewer, id := certificate("viewer")
	operator, _ := certificate("operator")
	known(other, viewer)
	known(other, operator)
	ask(other, viewer, "status").want(t, 0).has(t, d.Name, other.Name)
	w.unchanged(t, func() {
		ask(other, viewer, "apply", file, "--yes").refused(t, "this needs the role operator", "certificate ann is viewer")
		ask(other, viewer, "drain", "director", d.Name).refused(t, "this needs the role operator")
		ask(other, operator, "token", "create").refused(t, "this needs the role admin", "certificate ann is operator")
		ask(other, operator, "leave").refused(t, "on its own host alone")
	})
	ask(other, operator, "apply", file, "--yes", "-m", "from elsewhere").want(t, 0)
	command(t, d, "history").want(t, 0).has(t, "certificate ann", "from elsewhere")
	command(t, d, "cert", "revoke", id).want(t, 0)
	ask(d, viewer, "status").refused(t, "was revoked")
	ask(d, operator, "status").want(t, 0)
}
