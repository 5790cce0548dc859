package port

import "sync"

// openConns are connections, of which each is remembered until it is closed.
type openConns[C comparable] struct {
	mu    sync.Mutex
	conns map[C]struct{}
}

func (o *openConns[C]) remember(c C) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = map[C]struct{}{}
	}
	o.conns[c] = struct{}{}
}

func (o *openConns[C]) forget(c C) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, c)
}

// all are those that are open now.
func (o *openConns[C]) all() []C {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]C, 0, len(o.conns))
	for c := range o.conns {
		all = append(all, c)
	}
	return all
}
