package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) imageImport() *cobra.Command {
	var description string
	c := &cobra.Command{
		Use: "import FILE NAME/VERSION", Short: "Take in an image tarball as a golden image", Args: arguments(2, 2),
		Long: "Take in a unified LXD image tarball, as lxc image export makes it, as a golden image.",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.Flags().StringVar(&description, "description", "", "`text` for people")
	c.RunE = func(c *cobra.Command, args []string) error {
		name, version := splitRef(args[1])
		if version == "" {
			return usagef("name the version too: %s/VERSION", name)
		}
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		d, err := t.daemon()
		if err != nil {
			return err
		}
		body := t.uploading(file)
		answer, err := d.ImportImageWithBody(c.Context(), &client.ImportImageParams{
			Name: name, Version: version, Description: description, IdempotencyKey: w.key,
		}, "application/octet-stream", body)
		body.end()
		return w.job(c.Context(), d, func(client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Imported %s\n", args[1])
			return err
		}, answer, err)
	}
	return c
}

// upload shows on a terminal how much of a file was read.
type upload struct {
	io.Reader
	tool  *tool
	size  int64
	read  int64
	shown time.Time
	live  bool
}

func (t *tool) uploading(file *os.File) *upload {
	u := &upload{Reader: file, tool: t}
	if info, err := file.Stat(); err == nil {
		u.size = info.Size()
	}
	_, u.live = terminal(t.Err)
	return u
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.read += int64(n)
	if now := u.tool.now(); u.live && now.Sub(u.shown) > 100*time.Millisecond {
		u.shown = now
		fmt.Fprintf(u.tool.Err, "\r\x1b[Kupload  %s of %s", humanSize(u.read), humanSize(u.size))
	}
	return n, err
}

func (u *upload) end() {
	if u.live {
		fmt.Fprint(u.tool.Err, "\r\x1b[K")
	}
}
