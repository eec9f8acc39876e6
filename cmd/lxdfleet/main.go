// Command lxdfleet runs one application for many clients, each in a system container of its
// own on LXD: the daemon, and the command that speaks to it.
package main

import (
	"os"

	"github.com/lxdfleet/lxdfleet/internal/app"
	"github.com/lxdfleet/lxdfleet/internal/cli"
)

// version is set at build time.
var version = "development"

func main() {
	os.Exit(cli.Main(cli.App{
		Version: version, Init: app.Init, Doctor: app.Doctor, Serve: app.Serve(version), Proxy: app.Proxy(version),
	}, os.Args[1:]))
}
