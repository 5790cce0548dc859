package lab

// Evidence takes what is needed to understand a failure.
func (n *Net) Evidence() {}
