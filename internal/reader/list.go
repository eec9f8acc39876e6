package reader

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// List tells about every file and folder below the root, by path, but for sockets, which hold
// nothing and are in no tar stream. Times are as exact as the file system has them. Where the image
// has no GNU find all files are read for it: times are to the second then, and each file that is
// not empty has a Sum.
func (r *Reader) List(ctx context.Context) ([]fleet.FileInfo, error) {
	read := r.listByTar
	if r.gnuFind {
		read = r.listByFind
	}
	var list []fleet.FileInfo
	if err := read(ctx, func(f fleet.FileInfo) { list = append(list, f) }); err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	slices.SortFunc(list, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// findFormat has eight fields, each ended by a zero byte.
const findFormat = `%P\0%y\0%m\0%U\0%G\0%s\0%T@\0%l\0`

const findFields = 8

func (r *Reader) listByFind(ctx context.Context, add func(fleet.FileInfo)) error {
	var errs bytes.Buffer
	pipe, feed := io.Pipe()
	parsed := make(chan error, 1)
	go func() {
		err := parseFind(pipe, add)
		_ = pipe.CloseWithError(err)
		parsed <- err
	}()
	exit, err := r.lxd.Exec(ctx, r.name, fleet.ExecSpec{
		Command: []string{"find", root, "-mindepth", "1", "!", "-type", "s", "-printf", findFormat}, Stdout: feed, Stderr: &errs,
	})
	_ = feed.Close()
	if parseErr := <-parsed; err == nil {
		err = parseErr
	}
	if err == nil && exit != 0 {
		err = fleet.Errorf(fleet.Failed, "find in the reader ended with %d: %s", exit, lastLine(errs.String()))
	}
	return err
}

func parseFind(r io.Reader, add func(fleet.FileInfo)) error {
	in := bufio.NewReader(r)
	for {
		var fields [findFields]string
		for i := range fields {
			field, err := in.ReadString(0)
			if errors.Is(err, io.EOF) && i == 0 && field == "" {
				return nil
			}
			if err != nil {
				return fleet.Errorf(fleet.Unavailable, "the list of the reader broke off: %w", err)
			}
			fields[i] = strings.TrimSuffix(field, "\x00")
		}
		info, err := parseFields(fields)
		if err != nil {
			return err
		}
		add(info)
	}
}

func parseFields(fields [findFields]string) (fleet.FileInfo, error) {
	info := fleet.FileInfo{Path: "/" + fields[0], Type: findType(fields[1]), Target: fields[7]}
	mode, err := strconv.ParseUint(fields[2], 8, 32)
	uid, uidErr := strconv.ParseInt(fields[3], 10, 64)
	gid, gidErr := strconv.ParseInt(fields[4], 10, 64)
	size, sizeErr := strconv.ParseInt(fields[5], 10, 64)
	at, timeErr := parseTime(fields[6])
	if err := errors.Join(err, uidErr, gidErr, sizeErr, timeErr); err != nil {
		return info, fleet.Errorf(fleet.Failed, "find in the reader tells what cannot be read of %q: %w", info.Path, err)
	}
	info.Mode, info.UID, info.GID, info.Size, info.ModTime = uint32(mode), uid, gid, fleet.Size(size), at
	return info, nil
}

func findType(letter string) fleet.FileType {
	switch letter {
	case "f":
		return fleet.FileRegular
	case "d":
		return fleet.FileFolder
	case "l":
		return fleet.FileSymlink
	}
	return fleet.FileOther
}

// parseTime reads seconds since 1970 with a fraction, whose digits after the ninth find makes up.
func parseTime(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err //nolint:wrapcheck // wrapped by parseFields
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nanos).UTC(), err //nolint:wrapcheck // wrapped by parseFields
}

func (r *Reader) listByTar(ctx context.Context, add func(fleet.FileInfo)) error {
	pipe, feed := io.Pipe()
	parsed := make(chan error, 1)
	go func() {
		err := listing.Tar(pipe, listing.Sum, add)
		_ = pipe.CloseWithError(err)
		parsed <- err
	}()
	err := r.tar(ctx, feed)
	_ = feed.CloseWithError(err)
	if parseErr := <-parsed; err == nil && parseErr != nil {
		err = fleet.Errorf(fleet.Failed, "the reader sends no whole tar: %w", parseErr)
	}
	return err
}
