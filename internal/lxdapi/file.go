package lxdapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// PushFile puts a file or folder into an instance, running or not, and makes the parent
// folders it needs (mode 0755, owned by root). An existing file is overwritten. LXD keeps the
// permission bits of the mode, not setuid, setgid and sticky.
func (c *Client) PushFile(ctx context.Context, name string, file fleet.File) error {
	if !path.IsAbs(file.Path) {
		return fleet.Errorf(fleet.Invalid, "the path %q is not absolute", file.Path).WithField("path")
	}
	err := c.push(ctx, name, file)
	if err != nil && ctx.Err() == nil && !isCode(err, fleet.Unavailable, fleet.Forbidden, fleet.Exhausted) {
		if err = c.makeParents(ctx, name, file.Path); err == nil {
			err = c.push(ctx, name, file)
		}
	}
	return within(err, "put %s into %s", file.Path, name)
}

func (c *Client) push(ctx context.Context, name string, file fleet.File) error {
	r := request{
		method: http.MethodPost, path: instancePath(name) + "/files", query: url.Values{"path": {file.Path}},
		header: http.Header{
			"X-LXD-uid":  {strconv.FormatInt(file.UID, 10)},
			"X-LXD-gid":  {strconv.FormatInt(file.GID, 10)},
			"X-LXD-type": {"file"},
		},
	}
	mode := file.Mode
	if file.Dir {
		r.header["X-LXD-type"] = []string{"directory"}
		if mode == 0 {
			mode = 0o755
		}
	} else {
		r.header["X-LXD-write"] = []string{"overwrite"}
		if mode == 0 {
			mode = 0o644
		}
		if file.Content != nil {
			if _, err := file.Content.Seek(0, io.SeekStart); err != nil {
				return err
			}
			r.body = io.NopCloser(file.Content) // the HTTP client must not close what is not its own
		}
	}
	r.header["X-LXD-mode"] = []string{fmt.Sprintf("0%o", mode)}
	_, err := c.call(ctx, r, nil)
	return err
}

// makeParents makes the folders above p from the top; those that exist stay as they are.
func (c *Client) makeParents(ctx context.Context, name, p string) error {
	if _, _, err := c.instance(ctx, name); err != nil {
		return err
	}
	var parents []string
	for dir := path.Dir(path.Clean(p)); dir != "/"; dir = path.Dir(dir) {
		parents = append(parents, dir)
	}
	for i := len(parents) - 1; i >= 0; i-- {
		err := c.push(ctx, name, fleet.File{Path: parents[i], Dir: true, Mode: 0o755})
		if err == nil {
			continue
		}
		if ctx.Err() != nil || isCode(err, fleet.Unavailable) || !c.exists(ctx, name, parents[i]) {
			return err
		}
	}
	return nil
}

func (c *Client) exists(ctx context.Context, name, p string) bool {
	resp, err := c.send(ctx, request{
		method: http.MethodGet, path: instancePath(name) + "/files", query: url.Values{"path": {p}},
	})
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// ReadFile gives the content of a file of an instance, running or not; the caller closes it.
// A missing file or instance is fleet.NotFound, a folder fleet.Invalid. ctx also ends the
// reading.
func (c *Client) ReadFile(ctx context.Context, name, filePath string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{
		method: http.MethodGet, path: instancePath(name) + "/files", query: url.Values{"path": {filePath}},
	})
	if err != nil {
		return nil, within(c.whyNoFile(ctx, name, filePath, err), "read %s of %s", filePath, name)
	}
	if kind := resp.Header.Get("X-LXD-type"); kind != "file" {
		_ = resp.Body.Close()
		return nil, fleet.Errorf(fleet.Invalid, "read %s of %s: it is a %s", filePath, name, kind)
	}
	return resp.Body, nil
}

// whyNoFile tells a missing instance from a missing file: LXD 5.0 has one code for both.
func (c *Client) whyNoFile(ctx context.Context, name, filePath string, failure error) error {
	if !isCode(failure, fleet.NotFound, fleet.Failed) {
		return failure
	}
	if _, _, err := c.instance(ctx, name); err != nil {
		return err
	}
	if isCode(failure, fleet.NotFound) {
		return fleet.Errorf(fleet.NotFound, "the file %s does not exist", filePath)
	}
	return failure
}

// ConsoleLog gives what the instance wrote to its console since its start, or before its last
// stop; LXD keeps a bounded part. It is empty where the instance was not started on
// its member yet.
func (c *Client) ConsoleLog(ctx context.Context, name string) ([]byte, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: instancePath(name) + "/console"})
	if err != nil {
		_, _, look := c.instance(ctx, name)
		switch {
		case look != nil:
			err = look
		case isCode(err, fleet.NotFound, fleet.Failed):
			// LXD 5.0 answers 500 where there is no log or nothing in it.
			c.log.Debug("read a console", "instance", name, "error", err)
			return nil, nil
		}
		return nil, within(err, "read the console of %s", name)
	}
	defer func() { _ = resp.Body.Close() }()
	log, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, within(transportError(ctx, err), "read the console of %s", name)
	}
	return log, nil
}
