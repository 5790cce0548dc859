package wire

import (
	"encoding/base64"
	"encoding/hex"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// TestAJoinThatIsRefused goes through the tokens and addresses that people get wrong. One cluster is
// asked by an agent that never gets in; another cluster is there to be mistaken for it.
func TestAJoinThatIsRefused(t *testing.T) {
	t.Parallel()
	w := build(t, 3)
	member, other, joiner := w.Directors[0], w.Directors[1], w.Directors[2]
	for _, d := range w.Directors {
		d.Agent(t)
	}
	command(t, member, "init").want(t, 0)
	command(t, other, "init").want(t, 0)
	token := func(d *lab.Director, args ...string) string {
		return strings.TrimSpace(command(t, d, append([]string{"token", "create"}, args...)...).want(t, 0).out)
	}
	good := token(member)
	revoked := token(member)
	command(t, member, "token", "revoke", tokenID(t, revoked)).want(t, 0)
	witness := token(member, "--role", "witness")
	foreign := token(other)
	expired := token(member, "--lifetime", "1s")
	w.quiet(t)
	time.Sleep(time.Second) // and the token expires
	flipped := good[:len(good)-20] + swap(good[len(good)-20:len(good)-19]) + good[len(good)-19:]
	for _, tt := range []struct {
		name, address, token string
		words                []string
	}{
		{"no token at all", member.Bind, "hello", []string{"not a join token", "quorate token create"}},
		{"a token with a wrong letter", member.Bind, flipped, []string{"cut off or altered", "quorate token create"}},
		{"a token that is cut off", member.Bind, good[:len(good)-5], []string{"cut off or altered"}},
		{"an expired token", member.Bind, expired, []string{"expired at", "quorate token create"}},
		{"a revoked token", member.Bind, revoked, []string{"was revoked", "quorate token create"}},
		{"a token for a witness", member.Bind, witness, []string{"witness, not a director"}},
		{"a token of another cluster", member.Bind, foreign, []string{"another cluster", "Nothing was sent"}},
		{"the address of another cluster", other.Bind, good, []string{"another cluster"}},
		{"an address where no agent is", "192.168.2.3:7499", good, []string{"no agent of a cluster listens"}},
		{"an address that is none", "d1:port", good, []string{"ADDRESS:PORT"}},
		{"an agent that is in no cluster", joiner.Bind, good, []string{"no agent of a cluster listens"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.unchanged(t, func() {
				command(t, joiner, "join", tt.address, "--token", tt.token).refused(t, tt.words...)
			})
		})
	}
	t.Run("no token flag", func(t *testing.T) {
		command(t, joiner, "join", member.Bind).refused(t, "token")
	})
	t.Run("the name of a member", func(t *testing.T) {
		// after all else: the data directory has an agent of that name from here on
		joiner.Control().Kill()
		joiner.Keeper().Kill()
		joiner.Name = member.Name
		defer func() { joiner.Name = "d3" }()
		joiner.Agent(t)
		w.unchanged(t, func() {
			command(t, joiner, "join", member.Bind, "--token", good).refused(t, "name d1 is a member's", "quorate remove d1")
		})
	})
	t.Run("a used token", func(t *testing.T) {
		joiner.Control().Kill()
		joiner.Keeper().Kill()
		joiner.Agent(t)
		command(t, joiner, "join", member.Bind, "--token", good).want(t, 0)
		command(t, joiner, "leave").want(t, 0)
		w.quiet(t)
		w.unchanged(t, func() {
			command(t, joiner, "join", member.Bind, "--token", good).refused(t, "used up by d3", "quorate token create")
		})
	})
}

// tokenID is the public half of a token.
func tokenID(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "quorate1-")[:8])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return hex.EncodeToString(raw)
}

// swap is another letter than this.
func swap(letter string) string {
	if letter == "A" {
		return "B"
	}
	return "A"
}

func TestAnAgentThatCannotWorkSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	w := build(t, 3)
	d1, d2, d3 := w.Directors[0], w.Directors[1], w.Directors[2]
	d1.Agent(t)
	command(t, d1, "init").want(t, 0)
	agent := func(d *lab.Director, file string) result { return command(t, d, "agent", "--config", file) }

	t.Run("no privileges", func(t *testing.T) {
		argv := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copyOf(t, d2), "agent", "--config", d2.AgentFile()}
		start := time.Now()
		program(t, d2.Host, argv...).refused(t, "CAP_NET_ADMIN", "run as root", "systemctl start quorate")
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		program(t, d2.Host, "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", copyOf(t, d2), "agent", "--config", d2.AgentFile()).
			refused(t, "CAP_NET_RAW")
	})
	t.Run("a second agent on the same socket", func(t *testing.T) {
		w.unchanged(t, func() { agent(d1, d1.AgentFile()).refused(t, "another agent serves", "stop it first") })
	})
	t.Run("a second agent on the same data directory", func(t *testing.T) {
		text := strings.ReplaceAll(read(t, d1.AgentFile()), "quorate.sock", "other.sock")
		w.unchanged(t, func() {
			agent(d1, d1.WriteFile("other.hcl", text)).refused(t, d1.DataDir(), "another quorate agent", "data_dir of its own")
		})
	})
	t.Run("a data directory of another name", func(t *testing.T) {
		text := strings.NewReplacer(d2.DataDir(), d1.DataDir()).Replace(read(t, d2.AgentFile()))
		d1.Control().Kill()
		d1.Keeper().Kill()
		agent(d2, d2.WriteFile("stolen.hcl", text)).refused(t, "belongs to director d1", "named d2", "name or data_dir")
		if _, err := d2.FindProcess("keeper"); err == nil {
			t.Errorf("an agent that could not start has left a keeper")
		}
		d1.Agent(t)
	})
	t.Run("a data directory with another user's files", func(t *testing.T) {
		d1.Control().Kill()
		d1.Keeper().Kill()
		key := filepath.Join(d1.DataDir(), "cluster", "member.key")
		d1.MustRun("chown", "12345", key)
		agent(d1, d1.AgentFile()).refused(t, key+" belongs to user 12345", "`chown -hR root "+key+"`")
		if _, err := d1.FindProcess("keeper"); err == nil {
			t.Errorf("an agent that could not start has left a keeper")
		}
		d1.MustRun("chown", "-hR", "root", key)
	})
	t.Run("a keeper goes on without a record of another user", func(t *testing.T) {
		record := filepath.Join(d1.DataDir(), "keeper.json")
		d1.MustRun("chown", "12345", record)
		agent(d1, d1.AgentFile()).refused(t, record+" belongs to user 12345")
		before := read(t, record)
		p := d1.Start("doubtful", binary(t), "keeper", "--config", d1.AgentFile())
		defer p.Kill()
		lab.Eventually(t, 10*time.Second, "it serves, and says what is wrong", func() error {
			_, err := net.Dial("unix", filepath.Join(d1.Dir, "keeper.sock"))
			text := fileText(t, d1.LogFile("doubtful"))
			if err == nil && !strings.Contains(text, "start without the record: err=\""+record+" belongs to user 12345") {
				err = errText(text)
			}
			return err
		})
		p.Kill()
		if after := read(t, record); after != before {
			t.Errorf("it has written %s", after)
		}
		d1.MustRun("chown", "root", record)
	})
	t.Run("a data directory that was open to all", func(t *testing.T) {
		d1.MustRun("chmod", "-R", "777", d1.DataDir())
		for range 2 { // the second finds nothing to say
			d1.Agent(t)
			if open := d1.MustRun("find", d1.DataDir(), "-perm", "/022", "-or", "-perm", "/077", "-not", "-path", d1.DataDir()); open != "" {
				t.Errorf("still open:\n%s", open)
			}
			d1.Control().Kill()
			d1.Keeper().Kill()
		}
		d1.Agent(t)
		said := regexp.MustCompile(`\[WARN\].*`+regexp.QuoteMeta(d1.DataDir())+` \(mode 0777\) and \d+ more: was open to other users.*key rotate ca.*`).FindAllString(fileText(t, d1.LogFile("agent")), -1)
		if len(said) != 1 {
			t.Errorf("said %d times: %q", len(said), said)
		}
	})
	for what, port := range map[string]string{"cluster port": "7400", "gossip port": "7401"} {
		t.Run(what+" in use", func(t *testing.T) {
			a := d2.Agent(t)
			squatter := listen(t, d2, port)
			w.unchanged(t, func() { command(t, d2, "init").refused(t, what, "is in use by another program", "choose another port") })
			squatter.Close()
			command(t, d2, "init").want(t, 0)
			a.Kill() // first: it would start another keeper
			killKeeper(d2)
			squatter = listen(t, d2, port)
			agent(d2, d2.AgentFile()).refused(t, what, "is in use by another program")
			if _, err := d2.FindProcess("keeper"); err == nil {
				t.Errorf("an agent that could not start has left a keeper")
			}
			squatter.Close()
			d2.Agent(t)
			command(t, d2, "leave", "--force").want(t, 0)
			d2.Control().Kill()
			killKeeper(d2)
		})
	}
	t.Run("gossip port in use over UDP", func(t *testing.T) {
		d3.Agent(t)
		var p net.PacketConn
		var err error
		if doErr := d3.Do(func() { p, err = net.ListenPacket("udp", net.JoinHostPort(d3.Bind, "7401")) }); doErr != nil || err != nil {
			t.Fatalf("listen: %v %v", doErr, err)
		}
		defer p.Close()
		w.unchanged(t, func() { command(t, d3, "init").refused(t, "gossip port: udp", "is in use by another program") })
	})
	t.Run("an agent file with mistakes", func(t *testing.T) {
		file := d3.WriteFile("bad.hcl", "name = \"d3\"\nbnd = \"192.168.2.4\"\nrole = \"boss\"\n")
		r := agent(d3, file).want(t, 1)
		for _, want := range []string{file + ":2", file + ":3", "role"} {
			if !strings.Contains(r.err, want) {
				t.Errorf("no %q in %s", want, r.err)
			}
		}
	})
	t.Run("no agent file", func(t *testing.T) {
		agent(d3, "/nowhere.hcl").refused(t, "/nowhere.hcl")
	})
}

// killKeeper ends the keeper, if there is one.
func killKeeper(d *lab.Director) {
	if p, err := d.FindProcess("keeper"); err == nil {
		p.Kill()
	}
}

// listen takes a TCP port of a director's bind address.
func listen(t *testing.T, d *lab.Director, port string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	if doErr := d.Do(func() { l, err = net.Listen("tcp", net.JoinHostPort(d.Bind, port)) }); doErr != nil || err != nil {
		t.Fatalf("listen: %v %v", doErr, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// copyOf puts the program where everybody may run it.
func copyOf(t *testing.T, d *lab.Director) string {
	t.Helper()
	path := filepath.Join(d.Dir, "quorate")
	d.MustRun("install", "-m", "755", binary(t), path)
	return path
}

func TestCommandsOfMembersAndStrangers(t *testing.T) {
	t.Parallel()
	w := build(t, 2)
	d1, d2 := w.Directors[0], w.Directors[1]
	d1.Agent(t)
	d2.Agent(t)
	t.Run("without a cluster", func(t *testing.T) {
		for _, args := range [][]string{
			{"members"}, {"members", "-o", "json"}, {"remove", "d2"}, {"token", "create"}, {"token", "list"}, {"show"},
			{"plan", d2.WriteFile("cluster.hcl", routerFile)}, {"apply", d2.WriteFile("cluster.hcl", routerFile), "--yes"},
			{"drain", "director", "d1"}, {"enable", "director", "d1"}, {"move", "web", "d1"},
		} {
			w.unchanged(t, func() { command(t, d2, args...).refused(t, "in no cluster", "quorate init", "quorate join") })
		}
		w.unchanged(t, func() {
			if got := command(t, d2, "leave").want(t, 0).err; !strings.Contains(got, "in no cluster: nothing to leave") {
				t.Errorf("leave says %q", got)
			}
		})
		command(t, d2, "status").want(t, 0).has(t, "d2", "in no cluster", "quorate init")
	})
	command(t, d1, "init").want(t, 0)
	token := strings.TrimSpace(command(t, d1, "token", "create").want(t, 0).out)
	join := command(t, d2, "join", d1.Bind, "--token", token).want(t, 0)
	for _, step := range []string{"asking 192.168.2.2:7400", "is a member of cluster", "d2 is ready"} {
		if !strings.Contains(join.err, step) {
			t.Errorf("no step %q in\n%s", step, join.err)
		}
	}
	if join.out != "" {
		t.Errorf("join has standard output: %q", join.out)
	}
	w.AwaitReady(t, 20*time.Second)
	w.quiet(t)
	w.unchanged(t, func() {
		command(t, d2, "init").refused(t, "member of cluster", "quorate leave")
		command(t, d1, "drain", "director", "d9").refused(t, "d9", "quorate members")
		command(t, d1, "enable", "director", "d9").refused(t, "d9", "quorate members")
		command(t, d1, "move", "web", "d1").refused(t, "no group web", "quorate status")
		command(t, d1, "remove", "d9").refused(t, "d9", "quorate members")
		command(t, d1, "remove", "d1").refused(t, "quorate leave")
		command(t, d1, "token", "revoke", "nonsense").refused(t, "nonsense", "quorate token list")
		command(t, d1, "token", "create", "--role", "boss").refused(t, "boss", "director", "witness")
		command(t, d1, "token", "create", "--lifetime", "-1s").refused(t, "-1s")
	})
	if out := command(t, d1, "token", "list").want(t, 0).out; strings.Contains(out, token[9:30]) || !strings.Contains(out, "d2") {
		t.Errorf("list of tokens: %s", out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	return fileText(t, path)
}
