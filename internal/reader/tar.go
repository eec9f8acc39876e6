package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// gnuArgs make the stream the same whenever the files are: sorted, without access times and
// process ids.
var gnuArgs = []string{
	"--create", "--file=-", "--directory=" + root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls",
	"--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--sort=name", ".",
}

// plainArgs are for a tar that knows little, such as busybox'.
var plainArgs = []string{"-c", "-f", "-", "-C", root, "."}

// endMark starts the line on stderr that tells tar's end: LXD 5.0 can forget to say that a
// command has ended.
const endMark = "lxdfleet-end: "

const tarScript = `LC_ALL=C tar "$@"; code=$?; printf '` + endMark + `%s\n' "$code" >&2; exit "$code"`

const (
	// silence is how long tar may send nothing while w takes what comes.
	silence = 2 * time.Minute
	// afterEnd is how long LXD may take to pass on the rest once tar has ended.
	afterEnd = 5 * time.Second
)

// errSilent: nothing has come for too long.
var errSilent = fleet.Errorf(fleet.Unavailable, "the reader sends nothing any more").WithHint("try again")

// Tar writes all files to w as a tar stream (POSIX.1-2001 with xattrs in SCHILY records; GNU
// where Lacks says so), names relative to the instance's root, beginning with "./", in the order
// of the names. Sparse files have their holes filled with zeros; sockets are left out. When ctx
// ends, or w refuses, it returns that error soon; a stream that broke off is an error too.
func (r *Reader) Tar(ctx context.Context, w io.Writer) error {
	if err := r.tar(ctx, w); err != nil {
		return fmt.Errorf("read the files: %w", err)
	}
	return nil
}

func (r *Reader) tar(ctx context.Context, w io.Writer) error {
	args := gnuArgs
	if !r.gnuTar {
		args = plainArgs
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &stream{w: w, stop: stop, patience: silence}
	s.quiet = time.AfterFunc(silence, func() { stop(errSilent) })
	defer s.quiet.Stop()
	exit, err := r.lxd.Exec(inner, r.name, fleet.ExecSpec{
		Command: append([]string{"sh", "-c", tarScript, "tar"}, args...), Stdout: s, Stderr: remarks{s},
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.refused != nil:
		return s.refused
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errSilent) && s.said == "0" && s.isWhole():
		return nil
	case err != nil:
		return err //nolint:wrapcheck // LXD's own words
	case exit != 0:
		return fleet.Errorf(fleet.Failed, "tar in the reader ended with %d: %s", exit, lastLine(string(s.remarks)))
	case !s.isWhole():
		return fleet.Errorf(fleet.Unavailable, "the stream of the reader broke off after %d bytes", s.count)
	}
	return nil
}

// stream passes on tar's output, watches that it comes, and sees its end.
type stream struct {
	w     io.Writer
	stop  context.CancelCauseFunc
	quiet *time.Timer

	mu       sync.Mutex
	writing  bool
	patience time.Duration
	count    int64
	zeros    int64 // at the end of what came
	refused  error
	remarks  []byte // the end of stderr
	said     string // the exit code that tar's end was told with
}

func (s *stream) Write(p []byte) (int, error) {
	s.begin() // w may take its time
	n, err := s.w.Write(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.refused == nil {
			s.refused = err
		}
		s.stop(err)
		return n, err //nolint:wrapcheck // the writer's own words
	}
	s.count += int64(n)
	trailing := int64(len(p) - len(bytes.TrimRight(p, "\x00")))
	if trailing == int64(len(p)) {
		s.zeros += trailing
	} else {
		s.zeros = trailing
	}
	s.writing = false
	s.quiet.Reset(s.patience)
	return n, nil
}

func (s *stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = true
	s.quiet.Stop()
}

// isWhole reports whether what came is a whole archive: it ends with two blocks of zeros.
func (s *stream) isWhole() bool { return s.count%512 == 0 && s.zeros >= 1024 }

// remarks takes stderr.
type remarks struct{ *stream }

const remarksSize = 4 << 10

func (r remarks) Write(p []byte) (int, error) {
	s := r.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remarks = append(s.remarks, p...)
	if over := len(s.remarks) - remarksSize; over > 0 {
		s.remarks = append([]byte{}, s.remarks[over:]...)
	}
	before, code, told := strings.Cut(string(s.remarks), endMark)
	if told && strings.HasSuffix(code, "\n") && s.said == "" {
		s.said, s.remarks = strings.TrimSpace(code), []byte(before)
		s.patience = afterEnd
		if !s.writing {
			s.quiet.Reset(afterEnd)
		}
	}
	return len(p), nil
}
