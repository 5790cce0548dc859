// Command shell gives a shell in the article's network: three directors, real servers and a client, on a
// kernel with IPVS. It changes nothing on the machine that it runs on.
package main

import (
	"context"
	"os"

	"github.com/quorate/quorate/e2e/lab"
)

func main() {
	lab.Child()
	os.Exit(lab.Shell(context.Background()))
}
