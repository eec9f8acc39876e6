package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) caCommand() *cobra.Command {
	return t.group("ca", "The internal certificate authority: export", &cobra.Command{
		Use: "export [FILE]", Short: "Write the authority's certificate, for browsers and curl --cacert", Args: arguments(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			body, err := client.Open(d.GetCA(c.Context()))
			if err != nil {
				return err
			}
			defer body.Close()
			pem, err := io.ReadAll(body)
			if err != nil {
				return fmt.Errorf("read the certificate: %w", err)
			}
			if len(args) == 0 || args[0] == "-" {
				_, err = t.Out.Write(pem)
				return err
			}
			return writeFile(args[0], pem)
		},
	})
}

// writeFile puts the whole content at path, or nothing.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".lxdfleet-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where all went well
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
