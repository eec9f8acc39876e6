package repository

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Entry is a file, folder or symbolic link of a backup. Devices and the like are not listed.
type Entry struct {
	Name     string
	Mode     fs.FileMode // with the type
	UID, GID uint32
	Size     int64 // of a file
	ModTime  time.Time
	Target   string // of a symbolic link
}

// Files lists a folder of a backup, by name. The path is as the tar stream has it; empty is the
// top.
func (r *Repository) Files(ctx context.Context, id, path string) ([]Entry, error) {
	rep, e, err := r.lookUp(ctx, id, path)
	if err != nil {
		return nil, err
	}
	if e.Type != snapshot.EntryTypeDirectory {
		return nil, fleet.Errorf(fleet.Invalid, "%s is not a folder", path).WithField("path").WithHint("name a folder")
	}
	m, err := readFolder(ctx, rep, e.ObjectID)
	if err != nil {
		return nil, damaged(ctx, "list files", id, path, e.ObjectID.String(), err)
	}
	list := make([]Entry, 0, len(m.Entries))
	for _, e := range m.Entries {
		one, err := entry(ctx, rep, e)
		if err != nil {
			return nil, damaged(ctx, "list files", id, path+"/"+e.Name, e.ObjectID.String(), err)
		}
		list = append(list, one)
	}
	return list, nil
}

// File opens one file of a backup. What is read is checked; an error of the reader may be a
// *Damage.
func (r *Repository) File(ctx context.Context, id, path string) (io.ReadCloser, Entry, error) {
	rep, e, err := r.lookUp(ctx, id, path)
	if err != nil {
		return nil, Entry{}, err
	}
	if e.Type != snapshot.EntryTypeFile {
		return nil, Entry{}, fleet.Errorf(fleet.Invalid, "%s is not a file", absolute(path)).WithField("path").WithHint("name a file")
	}
	about, err := entry(ctx, rep, e)
	if err != nil {
		return nil, Entry{}, err
	}
	in, err := rep.OpenObject(ctx, e.ObjectID)
	if err != nil {
		return nil, Entry{}, damaged(ctx, "read a file", id, path, e.ObjectID.String(), err)
	}
	return &file{Reader: in, err: func(err error) error {
		return damaged(ctx, "read a file", id, path, e.ObjectID.String(), err)
	}}, about, nil
}

// file tells of damage in our words.
type file struct {
	object.Reader
	err func(error) error
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.err(err)
	}
	return n, err
}

func entry(ctx context.Context, rep repo.Repository, e *snapshot.DirEntry) (Entry, error) {
	one := Entry{Name: e.Name, Mode: fs.FileMode(e.Permissions), UID: e.UserID, GID: e.GroupID, ModTime: e.ModTime.ToTime()}
	switch e.Type {
	case snapshot.EntryTypeDirectory:
		one.Mode |= fs.ModeDir
	case snapshot.EntryTypeSymlink:
		one.Mode |= fs.ModeSymlink
		in, err := openObject(ctx, rep, e.ObjectID, e.FileSize)
		if err != nil {
			return one, err
		}
		defer func() { _ = in.Close() }()
		target, err := io.ReadAll(in)
		if err != nil {
			return one, err
		}
		one.Target = string(target)
	default:
		one.Size = e.FileSize
	}
	return one, nil
}

// lookUp finds a path in a backup.
func (r *Repository) lookUp(ctx context.Context, id, path string) (repo.Repository, *snapshot.DirEntry, error) {
	rep, man, err := r.find(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	entries, err := top(ctx, rep, man)
	if err != nil {
		return nil, nil, err
	}
	folders, last, ok := place(path)
	if last != "" {
		folders = append(folders, last)
	}
	e := entries["files"]
	for i, name := range folders {
		if !ok || e.Type != snapshot.EntryTypeDirectory {
			break
		}
		m, err := readFolder(ctx, rep, e.ObjectID)
		if err != nil {
			return nil, nil, damaged(ctx, "look for a file", id, strings.Join(folders[:i], "/"), e.ObjectID.String(), err)
		}
		e = nil
		for _, in := range m.Entries {
			if in.Name == name {
				e = in
			}
		}
		if e == nil {
			break
		}
		if i == len(folders)-1 {
			return rep, e, nil
		}
	}
	if len(folders) == 0 && ok {
		return rep, e, nil
	}
	return nil, nil, fleet.Errorf(fleet.NotFound, "there is no %s in backup %s", absolute(path), id).WithField("path").
		WithHint("list the folder it is in")
}

func absolute(path string) string { return "/" + strings.Trim(path, "/") }
