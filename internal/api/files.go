package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListSnapshotFiles lists a folder of a snapshot.
func (s *Server) ListSnapshotFiles(ctx context.Context, r ListSnapshotFilesRequestObject) (ListSnapshotFilesResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	files, err := s.Snapshots.Files(ctx, name, r.Snapshot, folder(r.Params.Path))
	if err != nil {
		return nil, err
	}
	return ListSnapshotFiles200JSONResponse(filesOut(files)), nil
}

// GetSnapshotFile sends a file of a snapshot.
func (s *Server) GetSnapshotFile(ctx context.Context, r GetSnapshotFileRequestObject) (GetSnapshotFileResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	return s.download(ctx, func(ctx context.Context) (io.ReadCloser, fleet.FileInfo, error) {
		return s.Snapshots.ReadFile(ctx, name, r.Snapshot, r.Params.Path)
	}), nil
}

// folder is the root where no path is given.
func folder(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func filesOut(files []fleet.FileInfo) FileList {
	list := FileList{Items: make([]File, len(files))}
	for i := range files {
		list.Items[i] = *fileOut(&files[i])
	}
	return list
}

func changesOut(changes []fleet.FileChange) FileChangeList {
	list := FileChangeList{Items: make([]FileChange, len(changes))}
	for i, c := range changes {
		list.Items[i] = FileChange{Path: c.Path, Change: FileChangeChange(c.Change), Before: fileOut(c.Before), After: fileOut(c.After)}
	}
	return list
}

func fileOut(f *fleet.FileInfo) *File {
	if f == nil {
		return nil
	}
	return &File{
		Path: f.Path, Type: FileType(f.Type), Mode: fmt.Sprintf("%04o", f.Mode), Uid: f.UID, Gid: f.GID,
		Size: int64(f.Size), ModifiedAt: f.ModTime, Target: f.Target,
	}
}

// download sends a file as it is read. An error before the first byte is a problem document; a
// later one cuts the connection, so that nobody takes half a file for a whole one.
func (s *Server) download(ctx context.Context, open func(context.Context) (io.ReadCloser, fleet.FileInfo, error)) stream {
	return func(w http.ResponseWriter) error {
		ctx, done := s.untilShutdown(ctx)
		defer done()
		body, info, err := open(ctx)
		if err != nil {
			return err
		}
		defer body.Close()
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("X-Content-Type-Options", "nosniff")
		if info.Type == fleet.FileRegular {
			h.Set("Content-Length", strconv.FormatInt(int64(info.Size), 10))
		}
		if !info.ModTime.IsZero() {
			h.Set("Last-Modified", info.ModTime.UTC().Format(http.TimeFormat))
		}
		out := &patient{w: w, control: http.NewResponseController(w)}
		if _, err := io.Copy(out, body); err != nil {
			return fmt.Errorf("send %s: %w", info.Path, err)
		}
		if !out.begun {
			w.WriteHeader(http.StatusOK)
		}
		return nil
	}
}

// patient gives a slow client time for each piece, and a client that takes nothing none.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (p *patient) Write(data []byte) (int, error) {
	p.begun = true
	_ = p.control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not every connection can
	return p.w.Write(data)
}
