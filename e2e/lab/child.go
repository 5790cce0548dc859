package lab

import (
	"fmt"
	"os"
)

func runChild(role string) {
	fmt.Fprintln(os.Stderr, "lab: no child", role)
	os.Exit(2)
}
