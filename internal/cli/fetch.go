package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

const fetchHelp = "Fetch a file to TARGET: a file that is not there yet, a folder, or - for standard output. Without\n" +
	"it the file is put into the current folder. A file comes whole or not at all."

// fetch writes what an answer carries to a file, or to standard output.
func (t *tool) fetch(source string, target []string, request func() (*http.Response, error)) error {
	to := "."
	if len(target) > 0 {
		to = target[0]
	}
	if to == "-" {
		body, err := client.Open(request())
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(t.Out, body)
		return err
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, path.Base(source))
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already; name another target, or - for standard output", to)
	}
	body, err := client.Open(request())
	if err != nil {
		return err
	}
	defer body.Close()
	size, err := save(to, body)
	if err != nil {
		return err
	}
	return t.print(map[string]any{"file": to, "size": size}, func() error {
		_, err := fmt.Fprintf(t.Out, "%s: %d bytes\n", to, size)
		return err
	})
}

// save writes a new file. A file that was cut off is not left behind.
func save(name string, from io.Reader) (size int64, err error) {
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // 0600: it may hold secrets
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("there is no folder %s", filepath.Dir(name))
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(part.Name()) }() // no effect where it was renamed
	size, err = io.Copy(part, from)
	if err := errors.Join(err, part.Close()); err != nil {
		return 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	if err := os.Link(part.Name(), name); err != nil { // never over what somebody else has put there
		return 0, err
	}
	return size, nil
}

// fileTable lists a folder.
func (t *tool) fileTable(list client.FileList, err error) error {
	if err != nil {
		return err
	}
	return t.print(list.Items, func() error {
		rows := make([][]string, len(list.Items))
		for i, f := range list.Items {
			name := path.Base(f.Path)
			switch f.Type {
			case client.FileTypeFolder:
				name += "/"
			case client.FileTypeSymlink:
				name += " -> " + f.Target
			}
			rows[i] = []string{f.Mode, fmt.Sprint(f.Uid), fmt.Sprint(f.Gid), fileSize(f), t.clock(f.ModifiedAt, "2006-01-02 15:04"), name}
		}
		return t.printTable([]string{"MODE", "UID", "GID", "SIZE", "CHANGED", "NAME"}, rows)
	})
}

// fileSize is what a file holds; empty for what is no file.
func fileSize(f client.File) string {
	if f.Type != client.FileTypeFile {
		return ""
	}
	return sizeWords(f.Size)
}
