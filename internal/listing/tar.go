package listing

import (
	"archive/tar"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Tar calls add for each file and folder below the root, in the order of the stream, and reads
// the stream to its end. sum gives what becomes the Sum of a regular file with a content; it need
// not read that. A hard link has the size and sum of the file it leads to.
func Tar(r io.Reader, sum func(content io.Reader) (uint64, error), add func(fleet.FileInfo)) error {
	archive := tar.NewReader(r)
	firsts := map[string]fleet.FileInfo{} // files that others may be links to
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // what follows the end
			return err                      //nolint:wrapcheck // the stream's own words
		}
		if err != nil {
			return fmt.Errorf("read the tar stream: %w", err)
		}
		info := infoOf(h)
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			if h.Size > 0 {
				if info.Sum, err = sum(archive); err != nil {
					return fmt.Errorf("read %s in the tar stream: %w", info.Path, err)
				}
			}
			firsts[info.Path] = info
		case tar.TypeLink:
			first := firsts[path.Join("/", h.Linkname)]
			info.Size, info.Sum = first.Size, first.Sum
			firsts[info.Path] = info
		case tar.TypeSymlink:
			info.Target = h.Linkname
		}
		if info.Path != "/" {
			add(info)
		}
	}
}

func infoOf(h *tar.Header) fleet.FileInfo {
	return fleet.FileInfo{
		Path: path.Join("/", h.Name), Type: typeOf(h.Typeflag), Mode: uint32(h.Mode) & 0o7777,
		UID: int64(h.Uid), GID: int64(h.Gid), Size: fleet.Size(h.Size), ModTime: h.ModTime.UTC(),
	}
}

func typeOf(flag byte) fleet.FileType {
	switch flag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeLink:
		return fleet.FileRegular
	case tar.TypeDir:
		return fleet.FileFolder
	case tar.TypeSymlink:
		return fleet.FileSymlink
	}
	return fleet.FileOther
}

// Sum is a sum of what is read from r. It is no proof against who wants two to be alike.
func Sum(r io.Reader) (uint64, error) {
	sum := fnv.New64a()
	_, err := io.Copy(sum, r)
	return sum.Sum64(), err //nolint:wrapcheck // the reader's own words
}
