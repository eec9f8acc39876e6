package lxdfake

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type file struct {
	content  []byte // never changed
	mode     uint32
	uid, gid int64
	dir      bool
	changed  time.Time
}

// PushFile puts a file or folder into an instance, with the parent folders it needs.
func (l *LXD) PushFile(ctx context.Context, name string, f fleet.File) (err error) {
	var content []byte
	if !f.Dir && f.Content != nil {
		if content, err = io.ReadAll(f.Content); err != nil {
			return err
		}
	}
	end, err := l.begin(ctx, "PushFile", name)
	if err != nil {
		return err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return err
	}
	if !path.IsAbs(f.Path) {
		return fleet.Errorf(fleet.Invalid, "the path %q is not absolute", f.Path).WithField("path")
	}
	mode := f.Mode
	if mode == 0 && f.Dir {
		mode = 0o755
	} else if mode == 0 {
		mode = 0o644
	}
	i.put(f.Path, file{content: content, mode: mode, uid: f.UID, gid: f.GID, dir: f.Dir})
	return nil
}

// put sets a file and makes the folders above it.
func (i *instance) put(name string, f file) {
	if i.files == nil {
		i.files = map[string]file{}
	}
	f.changed = time.Now().UTC().Truncate(time.Second)
	name = path.Clean(name)
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if _, ok := i.files[dir]; !ok {
			i.files[dir] = file{dir: true, mode: 0o755, changed: f.changed}
		}
	}
	i.files[name] = f
}

// ReadFile reads a file that PushFile or SetFile put there; fleet.NotFound. A folder is
// fleet.Invalid.
func (l *LXD) ReadFile(ctx context.Context, name, filePath string) (_ io.ReadCloser, err error) {
	end, err := l.begin(ctx, "ReadFile", name)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return nil, err
	}
	f, ok := i.files[path.Clean(filePath)]
	switch {
	case !ok:
		return nil, fleet.Errorf(fleet.NotFound, "the file %s does not exist in the instance %s", filePath, name)
	case f.dir:
		return nil, fleet.Errorf(fleet.Invalid, "%s is a folder", filePath)
	}
	return io.NopCloser(bytes.NewReader(f.content)), nil
}

// SetFile puts a file into an instance without a fault or event, as a command in it would.
func (l *LXD) SetFile(name, filePath string, content []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.instances[name]; i != nil {
		i.put(filePath, file{content: bytes.Clone(content), mode: 0o644})
	}
}

// RemoveFile removes a file or a folder with what is in it, as a command in the instance would.
func (l *LXD) RemoveFile(name, filePath string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.instances[name]; i != nil {
		filePath = path.Clean(filePath)
		for p := range i.files {
			if p == filePath || strings.HasPrefix(p, filePath+"/") {
				delete(i.files, p)
			}
		}
	}
}

// Files lists a folder of what PushFile and SetFile put there, by name; of a path that is no
// folder it gives that file alone.
func (l *LXD) Files(ctx context.Context, name, folder string) (_ []fleet.FileInfo, err error) {
	end, err := l.begin(ctx, "Files", name)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	i, err := l.find(name)
	if err != nil {
		return nil, err
	}
	if !path.IsAbs(folder) {
		return nil, fleet.Errorf(fleet.Invalid, "the path %q is not absolute", folder).WithField("path")
	}
	folder = path.Clean(folder)
	at, ok := i.files[folder]
	switch {
	case !ok && folder != "/":
		return nil, fleet.Errorf(fleet.NotFound, "the file %s does not exist", folder).WithField("path")
	case ok && !at.dir:
		return []fleet.FileInfo{at.info(folder)}, nil
	}
	list := []fleet.FileInfo{}
	for p, f := range i.files {
		if path.Dir(p) == folder && p != "/" {
			list = append(list, f.info(p))
		}
	}
	slices.SortFunc(list, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func (f file) info(name string) fleet.FileInfo {
	info := fleet.FileInfo{
		Path: name, Type: fleet.FileRegular, Mode: f.mode, UID: f.uid, GID: f.gid,
		Size: fleet.Size(len(f.content)), ModTime: f.changed,
	}
	if f.dir {
		info.Type = fleet.FileFolder
	}
	return info
}
