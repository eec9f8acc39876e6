// Package web is the dashboard: TypeScript in src, built by `make web` into dist, which the
// binary embeds. A binary built without it (dist holds .keep alone) answers with a page that
// says how to build it, so that Go alone builds and tests everything else.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var built embed.FS

// Files gives what was built; only .keep where nothing was.
func Files() fs.FS {
	files, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path
	}
	return files
}
