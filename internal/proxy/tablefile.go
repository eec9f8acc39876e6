package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// tableFormat is the version of the saved form; a file of another version is not read. Fields
// that were added since are left out where they are not set, and are no new version.
const tableFormat = 1

type savedTable struct {
	Format     int           `json:"format"`
	Generation int64         `json:"generation"`
	Routes     []fleet.Route `json:"routes"`
}

// SaveTable writes t to path as WriteDurably does.
func SaveTable(path string, t *Table) error {
	data, err := json.MarshalIndent(savedTable{Format: tableFormat, Generation: t.generation, Routes: t.Routes()}, "", " ")
	if err != nil {
		return fmt.Errorf("encode route table: %w", err)
	}
	if err := WriteDurably(path, data); err != nil {
		return fmt.Errorf("save route table: %w", err)
	}
	return nil
}

// LoadTable reads a saved table. A file that is missing gives an empty table and no error; one
// that cannot be read or understood gives an empty table and an error that says so.
func LoadTable(path string) (*Table, error) {
	empty, _ := BuildTable(0, nil)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, fmt.Errorf("load route table: %w", err)
	}
	var saved savedTable
	if err := json.Unmarshal(data, &saved); err != nil {
		return empty, fmt.Errorf("load route table from %s: %w", path, err)
	}
	if saved.Format != tableFormat {
		return empty, fmt.Errorf("load route table from %s: format %d is not known", path, saved.Format)
	}
	t, _ := BuildTable(saved.Generation, saved.Routes)
	return t, nil
}

// WriteDurably puts data at path so that a crash at any moment leaves either the old file or the new
// one: temporary file, sync, rename, sync of the folder. The file has mode 0600.
func WriteDurably(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return errors.Join(tmp.Close(), syncDir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
