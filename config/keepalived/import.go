package keepalived

import (
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// Input is the configuration of one host.
type Input struct {
	Path string // "-" is what the caller reads for it
	Node string // which host's lines count, and the director's name; "": as the file says
}

// Result is what came of an import.
type Result struct {
	File        []byte     // the cluster file
	Config      fsm.Config // the same as a model
	Hosts       []string   // names of directors
	Notes       []Note     // what became of each construct
	Differences []Difference
}

// Import turns the configurations of hosts that serve together into one cluster file. A single file with
// lines for several hosts is the file of all of them. The error is of a file that cannot be read; all else
// is in the result.
func Import(files Files, inputs []Input) (Result, error) {
	n := new(notes)
	if len(inputs) == 1 && inputs[0].Node == "" {
		ids, err := nodesOf(files, inputs[0].Path)
		if err != nil {
			return Result{}, err
		}
		if path := inputs[0].Path; len(ids) > 0 {
			inputs = nil
			for _, id := range ids {
				inputs = append(inputs, Input{path, id})
			}
		}
	}
	var hosts []*host
	for _, in := range inputs {
		h, err := readHost(files, in, n)
		if err != nil {
			return Result{}, err
		}
		h.name = unlike(hosts, h.name)
		if in.Node == "" && h.routerID != "" && h.name != h.routerID {
			n.Instead(Differs, h.idAt, "global_defs router_id", "the director is called %s here; its agent file has `name`", h.name)
		}
		hosts = append(hosts, h)
	}
	p := together(hosts, n)
	p.prune()
	p.settle()
	p.adverts()
	return p.result(), nil
}

// unlike makes the name of a host one that no other has.
func unlike(hosts []*host, name string) string {
	taken := make(map[string]bool)
	for _, h := range hosts {
		taken[h.name] = true
	}
	return imported.Unique(taken, name)
}

// nodesOf returns the hosts that a file has lines for.
func nodesOf(files Files, path string) ([]string, error) {
	l := &liner{files: files, notes: new(notes), macros: make(map[string]string)}
	err := l.file(path, 0)
	return l.nodes, err
}

// readHost reads the configuration of one host.
func readHost(files Files, in Input, n *notes) (*host, error) {
	l := &liner{files: files, node: in.Node, notes: n, macros: make(map[string]string)}
	if err := l.file(in.Path, 0); err != nil {
		return nil, err
	}
	l.tellMacros()
	h := &host{
		notes: n, tables: newTables(), delays: make(map[string]delay),
		lists: make(map[string]*serverGroup), links: make(map[string]string),
		named: make(map[string]*instance), tracked: make(map[trackKey]*track),
	}
	h.top = statements(l.out, n)
	walk(h, &Statement{Block: h.top}, h.tables.top, h)
	name := in.Node
	if name == "" {
		name = h.routerID
	}
	if name == "" {
		name = called(in.Path)
	}
	h.name = imported.Named(name)
	return h, nil
}

// called makes a name of a file's: that of the directory where the file has the usual name.
func called(path string) string {
	file := filepath.Base(path)
	if path == "-" {
		return "stdin"
	}
	dir := filepath.Base(filepath.Dir(path))
	if file == "keepalived.conf" && dir != "keepalived" && dir != "." && dir != "/" {
		return dir
	}
	return strings.TrimSuffix(file, filepath.Ext(file))
}

// result writes what came of it.
func (p *pair) result() Result {
	r := Result{Config: config.WithDefaults(p.base.config), Notes: p.notes.Sorted(), Differences: p.differences}
	for _, h := range p.hosts {
		r.Hosts = append(r.Hosts, h.name)
	}
	r.File = p.write(true)
	if again, problems := config.ParseCluster("imported.hcl", r.File); problems.Err() != nil || len(config.Diff(r.Config, again)) > 0 {
		r.File = p.write(false) // as it is printed by show
	}
	return r
}
