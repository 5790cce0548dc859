package lab

// A Capture is a running tcpdump.
type Capture struct{}

func (c *Capture) stop() {}
