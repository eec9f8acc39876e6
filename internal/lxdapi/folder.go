package lxdapi

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Files lists a folder of an instance, running or not, by name; of a path that is no folder it
// gives that file alone. A missing file or instance is fleet.NotFound. LXD does not tell extended
// attributes and hard links.
func (c *Client) Files(ctx context.Context, name, folder string) ([]fleet.FileInfo, error) {
	if !path.IsAbs(folder) {
		return nil, fleet.Errorf(fleet.Invalid, "the path %q is not absolute", folder).WithField("path")
	}
	list, err := c.files(ctx, name, path.Clean(folder))
	return list, within(err, "list %s of %s", folder, name)
}

func (c *Client) files(ctx context.Context, name, folder string) ([]fleet.FileInfo, error) {
	if _, _, err := c.instance(ctx, name); err != nil {
		return nil, err
	}
	conn, err := c.dialFiles(ctx, name)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	client, err := sftp.NewClientPipe(conn, conn)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	defer func() { _ = client.Close() }()
	list, err := listFolder(client, folder)
	switch {
	case err == nil:
		return list, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fleet.Errorf(fleet.NotFound, "the file %s does not exist", folder).WithField("path")
	case errors.Is(err, fs.ErrPermission):
		return nil, fleet.Errorf(fleet.Forbidden, "LXD may not read %s: %w", folder, err).WithField("path")
	case isStatus(err):
		return nil, fleet.Errorf(fleet.Failed, "LXD says: %w", err)
	}
	return nil, transportError(ctx, err)
}

// isStatus tells an answer of LXD from a broken connection.
func isStatus(err error) bool {
	_, ok := errors.AsType[*sftp.StatusError](err)
	return ok
}

// dialFiles opens an SFTP connection to an instance. As with dialWebsocket, one whose caller has
// left is closed when it is there.
func (c *Client) dialFiles(ctx context.Context, name string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := c.server.UseProject(c.project).GetInstanceFileSFTPConn(name)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, transportError(ctx, r.err)
		}
		return r.conn, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func listFolder(client *sftp.Client, folder string) ([]fleet.FileInfo, error) {
	at, err := client.Lstat(folder)
	if err != nil {
		return nil, err
	}
	if !at.IsDir() {
		info, err := infoOf(client, folder, at)
		return []fleet.FileInfo{info}, err
	}
	entries, err := client.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	list := make([]fleet.FileInfo, 0, len(entries))
	for _, entry := range entries {
		info, err := infoOf(client, path.Join(folder, entry.Name()), entry)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func infoOf(client *sftp.Client, name string, entry fs.FileInfo) (fleet.FileInfo, error) {
	info := fleet.FileInfo{
		Path: name, Type: typeOf(entry.Mode()), Mode: bitsOf(entry.Mode()),
		Size: fleet.Size(entry.Size()), ModTime: entry.ModTime().UTC(),
	}
	if stat, ok := entry.Sys().(*sftp.FileStat); ok {
		info.UID, info.GID = int64(stat.UID), int64(stat.GID)
	}
	if info.Type != fleet.FileSymlink {
		return info, nil
	}
	var err error
	info.Target, err = client.ReadLink(name)
	return info, err
}

func typeOf(mode fs.FileMode) fleet.FileType {
	switch {
	case mode.IsRegular():
		return fleet.FileRegular
	case mode.IsDir():
		return fleet.FileFolder
	case mode&fs.ModeSymlink != 0:
		return fleet.FileSymlink
	}
	return fleet.FileOther
}

// bitsOf gives the mode as chmod has it.
func bitsOf(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for _, b := range []struct {
		flag fs.FileMode
		bit  uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&b.flag != 0 {
			bits |= b.bit
		}
	}
	return bits
}
