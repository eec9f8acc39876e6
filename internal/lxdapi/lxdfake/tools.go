package lxdfake

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Tools gives a function for SetExec that runs what package reader asks of an instance: a tar of
// its files, and the question which tar it has (GNU, and no find). All else goes to other; nil:
// it ends at once with exit 0.
func (l *LXD) Tools(other ExecFunc) ExecFunc {
	return func(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
		switch {
		case slices.Contains(spec.Command, "prepare"):
			_, err := io.WriteString(spec.Stdout, "tar=tar (GNU tar) 1.34\nfind=\n")
			return 0, err
		case slices.Contains(spec.Command, "tar"):
			return 0, l.WriteTar(name, spec.Stdout)
		case other != nil:
			return other(ctx, name, spec)
		}
		return 0, nil
	}
}

// WriteTar writes the files of an instance to w as package reader does.
func (l *LXD) WriteTar(name string, w io.Writer) error {
	l.mu.Lock()
	i, err := l.find(name)
	var files map[string]file
	if err == nil {
		files = maps.Clone(i.files)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
		return fmt.Errorf("write the tar: %w", err)
	}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if p == "/" {
			continue
		}
		if err := writeEntry(archive, p, files[p]); err != nil {
			return fmt.Errorf("write the tar: %w", err)
		}
	}
	return archive.Close()
}

func writeEntry(archive *tar.Writer, name string, f file) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: "." + path.Clean(name), Mode: int64(f.mode), Uid: int(f.uid), Gid: int(f.gid),
		Size: int64(len(f.content)), ModTime: f.changed,
	}
	if f.dir {
		h.Typeflag, h.Name, h.Size = tar.TypeDir, h.Name+"/", 0
	}
	if err := archive.WriteHeader(h); err != nil || f.dir {
		return err
	}
	_, err := archive.Write(f.content)
	return err
}
