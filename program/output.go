package program

import (
	"os"
	"time"
)

const (
	maxOutput  = 4 << 10               // bytes kept of each of a program's outputs; the rest is drained
	drainGrace = 50 * time.Millisecond // for output that somebody outside the group still holds open
)

// output takes what a program writes: maxOutput bytes are kept, the rest is drained so that the program
// never blocks on it.
type output struct {
	r, w *os.File
	tail bool // the end is kept, not the beginning
	done chan struct{}
	kept []byte // the reader's, until done
}

func newOutputs(tail bool) (out, errOut *output, err error) {
	if out, err = newOutput(tail); err != nil {
		return nil, nil, err
	}
	if errOut, err = newOutput(tail); err != nil {
		out.w.Close()
		out.close()
		return nil, nil, err
	}
	return out, errOut, nil
}

func newOutput(tail bool) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{r: r, w: w, tail: tail, done: make(chan struct{})}
	go o.drain() // waited for by close
	return o, nil
}

func (o *output) drain() {
	defer close(o.done)
	buf := make([]byte, 4<<10)
	for {
		n, err := o.r.Read(buf)
		if o.tail {
			o.kept = append(o.kept, buf[:n]...)
			o.kept = o.kept[max(0, len(o.kept)-maxOutput):]
		} else {
			o.kept = append(o.kept, buf[:min(n, maxOutput-len(o.kept))]...)
		}
		if err != nil {
			return
		}
	}
}

// close ends the draining, and waits for it.
func (o *output) close() {
	o.r.Close()
	<-o.done
}

// text returns what was kept, once the program has ended.
func (o *output) text() string {
	o.r.SetReadDeadline(time.Now().Add(drainGrace))
	<-o.done
	return string(o.kept)
}
