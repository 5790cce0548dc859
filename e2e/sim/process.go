package sim

import "time"

// process is one of a host's processes: it runs, is frozen or is dead. What is to happen in one that is frozen
// waits for the end of that, what was to happen in one that is dead never does.
type process struct {
	w       *world
	alive   bool
	life    int // counts the starts
	stops   int // how many faults freeze it
	frozeAt time.Duration
	waits   []func()
	thawed  func() // is called first when it goes on
}

// runs reports whether the process does anything.
func (p *process) runs() bool { return p.alive && p.stops == 0 }

func (p *process) start() {
	p.alive, p.stops, p.waits = true, 0, nil
	p.life++
	p.w.touch()
}

func (p *process) kill() {
	p.alive, p.waits = false, nil
	p.w.touch()
}

// after has the process do something in a while.
func (p *process) after(d time.Duration, do func()) {
	p.w.add(due{at: p.w.now + max(d, 0), do: do, in: p, life: p.life})
}

// now has the process do something as soon as it runs.
func (p *process) now(do func()) {
	switch {
	case !p.alive:
	case p.stops > 0:
		p.waits = append(p.waits, do)
	default:
		do()
	}
}

// freeze stops the process, until the func that it returns is called. One that is started meanwhile runs.
func (p *process) freeze() (thaw func()) {
	life := p.life
	if p.stops++; p.stops == 1 {
		p.frozeAt = p.w.now
	}
	p.w.touch()
	return func() {
		if p.life == life {
			p.thaw()
		}
	}
}

func (p *process) thaw() {
	p.stops--
	p.w.touch()
	if !p.runs() {
		return
	}
	if p.thawed != nil {
		p.thawed()
	}
	for len(p.waits) > 0 && p.runs() {
		do := p.waits[0]
		p.waits = p.waits[1:]
		do()
	}
}
