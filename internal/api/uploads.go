package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// partSuffix marks an upload that has not come to its end.
const partSuffix = ".part"

// upload writes a body of any size to a new file and gives its path. A file without the
// suffix .part is complete and on disk.
func (s *Server) upload(body io.Reader) (path string, err error) {
	part := filepath.Join(s.UploadDir, fleet.NewID(s.Now())+partSuffix)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("take in the upload: %w", err)
	}
	defer func() {
		if err != nil {
			s.discard(part)
		}
	}()
	_, copyErr := io.Copy(f, http.MaxBytesReader(nil, io.NopCloser(body), int64(s.UploadLimit)))
	if copyErr == nil {
		copyErr = f.Sync()
	}
	if err := errors.Join(copyErr, f.Close()); err != nil {
		return "", s.uploadFailed(err)
	}
	path = strings.TrimSuffix(part, partSuffix)
	if err := os.Rename(part, path); err != nil {
		return "", fmt.Errorf("take in the upload: %w", err)
	}
	return path, nil
}

func (s *Server) uploadFailed(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fleet.Errorf(fleet.Exhausted, "the upload does not fit on the disk: %w", err).
			WithHint("make room in %s", s.UploadDir)
	}
	if _, local := errors.AsType[*os.PathError](err); local {
		return fmt.Errorf("take in the upload: %w", err)
	}
	return readFailed(err)
}

// owns reports whether the job works with the file: a repeated request gets the first one's
// job, which has its own file.
func owns(job fleet.Job, path string) bool {
	return bytes.Contains(job.Args, []byte(filepath.Base(path)))
}

func (s *Server) discard(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("cannot remove an upload", "path", path, "error", err)
	}
}
