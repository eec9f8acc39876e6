package reader

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
)

// LXD is what is needed of LXD: see lxdapi.Client.
type LXD interface {
	hooks.LXD
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	SetConfig(ctx context.Context, name string, set map[string]string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureDeleted(ctx context.Context, name string) error
}

// Spec says what is read.
type Spec struct {
	Source   string // an instance
	Snapshot string // of it
	Name     string // of the reader's own instance, free for it
	JobID    string // the job the reader is for
	// Config is added to that of the reader's instance, such as the tenant's keys.
	Config map[string]string
}

// Reader reads the files of one snapshot. One goroutine may use it at a time.
type Reader struct {
	lxd     LXD
	name    string
	gnuTar  bool
	gnuFind bool
}

const (
	// root is where the files are, without what is mounted over them: a bind mount has none of
	// the mounts below what it shows. /dev is in memory.
	root = "/dev/.lxdfleet"
	// initCommand keeps the instance up. It must be one word with arguments: LXC knows no quotes.
	initCommand = "/bin/sleep 2147483647"
	keyTemplate = "volatile.apply_template"
)

// prepareScript makes root, and tells which tar and find there are.
const prepareScript = `set -e
if ! grep -q " $1 " /proc/self/mounts; then
	mkdir -p "$1"
	mount -n -o bind / "$1"
fi
echo "tar=$(tar --version 2>&1 | head -n 1)"
echo "find=$(find --version 2>&1 | head -n 1)"
`

// Open makes the reader's instance and starts it. Opened again for the same job it is the same
// one. The caller closes it, also when Open fails. Errors are those of LXD; an instance without
// sleep, mount and tar is fleet.Unsupported.
func Open(ctx context.Context, lxd LXD, spec Spec) (*Reader, error) {
	r := &Reader{lxd: lxd, name: spec.Name}
	config := map[string]string{
		fleet.KeyRole: fleet.RoleReader, fleet.KeyJob: spec.JobID, "raw.lxc": "lxc.init.cmd = " + initCommand,
	}
	for key, value := range spec.Config {
		if _, ours := config[key]; !ours {
			config[key] = value
		}
	}
	err := lxd.EnsureCopy(ctx, fleet.CopySpec{
		Source: spec.Source, Snapshot: spec.Snapshot, Name: spec.Name, Config: config, Bare: true,
	}, nil)
	if err != nil {
		return r, fmt.Errorf("make a reader of %s: %w", spec.Source, err)
	}
	// The image's templates would be written into the copy at its start.
	if err := lxd.SetConfig(ctx, spec.Name, map[string]string{keyTemplate: ""}); err != nil {
		return r, fmt.Errorf("make a reader of %s: %w", spec.Source, err)
	}
	if err := lxd.EnsureStarted(ctx, spec.Name); err != nil {
		return r, fmt.Errorf("start the reader of %s: %w", spec.Source, err)
	}
	return r, r.prepare(ctx, spec.Source)
}

func (r *Reader) prepare(ctx context.Context, source string) error {
	var out bytes.Buffer
	exit, err := hooks.Run(ctx, r.lxd, r.name, hooks.Command{
		Args: []string{"sh", "-c", prepareScript, "prepare", root}, Output: &out,
	})
	if err != nil {
		return fmt.Errorf("prepare the reader of %s: %w", source, err)
	}
	tar, find := told(out.String(), "tar="), told(out.String(), "find=")
	if exit != 0 || !strings.HasPrefix(tar, "tar ") {
		return fleet.Errorf(fleet.Unsupported, "the files of %s cannot be read: %s", source, lastLine(out.String())).
			WithHint("its image needs sh, sleep, mount and tar in the usual places")
	}
	r.gnuTar = strings.Contains(tar, "GNU tar")
	r.gnuFind = strings.Contains(find, "GNU findutils")
	return nil
}

// told gives the rest of the line that begins with key.
func told(text, key string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok {
			return rest
		}
	}
	return ""
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Lacks says in words what the tar stream cannot hold, because the instance's own tar cannot;
// empty: it holds all.
func (r *Reader) Lacks() string {
	if r.gnuTar {
		return ""
	}
	return "the image has no GNU tar: extended attributes, ACLs and file capabilities are left out"
}

// Close deletes the reader's instance; one that is gone is success.
func (r *Reader) Close(ctx context.Context) error {
	if err := r.lxd.EnsureDeleted(ctx, r.name); err != nil {
		return fmt.Errorf("delete the reader: %w", err)
	}
	return nil
}
