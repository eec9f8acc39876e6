// Command write writes the tiny image to standard output, for where a file of it is wanted.
package main

import (
	"log"
	"os"

	"github.com/lxdfleet/lxdfleet/integration/tiny"
)

func main() {
	if err := tiny.Write(os.Stdout, "written"); err != nil {
		log.Fatal(err)
	}
}
