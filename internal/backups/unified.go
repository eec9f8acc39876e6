package backups

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// unified turns a tar stream of a root file system into LXD's unified image: metadata.yaml, and
// the files under rootfs/. mark makes the image another one than any other job's, since LXD knows
// an image by its content. Equal input gives equal output.
func unified(ctx context.Context, rootfs io.Reader, mark string, out io.Writer) error {
	buffered := bufio.NewWriterSize(out, 1<<20)
	w := tar.NewWriter(buffered)
	metadata := fmt.Sprintf("architecture: %s\ncreation_date: 1\nproperties:\n  description: a backup that is being restored\n  name: %s\n",
		architecture(), mark)
	err := w.WriteHeader(&tar.Header{Name: "metadata.yaml", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(metadata)), ModTime: time.Unix(1, 0)})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, metadata); err != nil {
		return err
	}
	r := tar.NewReader(bufio.NewReaderSize(rootfs, 1<<20))
	buffer := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.WriteHeader(moved(header)); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
		if _, err := io.CopyBuffer(onlyWriter{w}, onlyReader{r}, buffer); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// moved is the header of a file under rootfs/. What a hard link leads to moves along; a symlink
// says what it says.
func moved(header *tar.Header) *tar.Header {
	h := *header
	h.Name = under(header.Name)
	if h.Typeflag == tar.TypeLink {
		h.Linkname = under(header.Linkname)
	}
	// Names are written anew; PAX carries what the older forms cannot.
	h.Format = tar.FormatPAX
	if h.PAXRecords != nil {
		records := make(map[string]string, len(h.PAXRecords))
		for key, value := range h.PAXRecords {
			if key != "path" && key != "linkpath" && !strings.HasPrefix(key, "GNU.sparse.") {
				records[key] = value
			}
		}
		h.PAXRecords = records
	}
	return &h
}

func under(name string) string {
	clean := path.Join("rootfs", path.Clean("/"+name))
	if strings.HasSuffix(name, "/") || clean == "rootfs" {
		clean += "/"
	}
	return clean
}

// onlyWriter and onlyReader hide the shortcuts of tar's own, which look for holes in files.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
