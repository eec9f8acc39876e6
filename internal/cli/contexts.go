package cli

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// local is the context that is always there: the daemon on this machine, at its socket.
const local = "local"

// contexts are the daemons that the user has logged in to, kept in a file that nobody else can
// read.
type contexts struct {
	Current  string  `yaml:"current"`
	Contexts []login `yaml:"contexts"`
}

type login struct {
	Name    string `yaml:"name" json:"name"`
	Address string `yaml:"address" json:"address"`
	User    string `yaml:"user" json:"user"`
	TokenID string `yaml:"token_id" json:"-"`
	Token   string `yaml:"token" json:"-"`
	// CA is the authority to trust, as PEM; empty: those of the system.
	CA string `yaml:"ca,omitempty" json:"-"`
}

func contextsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fleet.Errorf(fleet.Invalid, "there is no folder for contexts: %w", err).WithHint("set HOME")
	}
	return filepath.Join(dir, "lxdfleet", "contexts.yaml"), nil
}

func readContexts() (contexts, error) {
	all := contexts{Current: local}
	file, err := contextsFile()
	if err != nil {
		return all, nil //nolint:nilerr // without a home there are none
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("read the contexts: %w", err)
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		return all, fleet.Errorf(fleet.Invalid, "%s cannot be read: %w", file, err).WithHint("mend it, or remove it and log in again")
	}
	all.Current = cmp.Or(all.Current, local)
	return all, nil
}

// save writes the file whole or not at all.
func (c contexts) save() error {
	file, err := contextsFile()
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), "contexts-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	defer os.Remove(part.Name())
	_, err = part.Write(text)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.Rename(part.Name(), file); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return nil
}

func (c contexts) index(name string) int {
	return slices.IndexFunc(c.Contexts, func(x login) bool { return x.Name == name })
}

func noContext(name string) error {
	return fleet.Errorf(fleet.NotFound, "there is no context %q", name).WithHint("see them with: lxdfleet context list; make one with: lxdfleet login")
}

// chosen gives the daemon of the context in use; nil: the local one.
func (t *tool) chosen() (*client.Daemon, error) {
	all, err := readContexts()
	if err != nil {
		return nil, err
	}
	name := cmp.Or(t.context, all.Current)
	if name == local {
		return nil, nil //nolint:nilnil // the caller has it
	}
	i := all.index(name)
	if i < 0 {
		return nil, noContext(name)
	}
	return all.Contexts[i].daemon()
}

func (c login) daemon() (*client.Daemon, error) {
	roots, err := rootsOf(c.CA)
	if err != nil {
		return nil, err
	}
	return client.NewRemote(client.Remote{Address: c.Address, Token: c.Token, Roots: roots})
}

func rootsOf(text string) (*x509.CertPool, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // those of the system
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(text)) {
		return nil, fleet.Errorf(fleet.Invalid, "there is no certificate in it").WithField("ca").WithHint("name a PEM file, as lxdfleet ca export prints it")
	}
	return roots, nil
}

func (t *tool) contextNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := []string{local}
	for _, c := range all.Contexts {
		names = append(names, c.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (t *tool) contextCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the daemons you have logged in to", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			all, err := readContexts()
			if err != nil {
				return err
			}
			return t.print(all.Contexts, func() error {
				rows := [][]string{{local, mark(all.Current == local), "", ""}}
				for _, c := range all.Contexts {
					rows = append(rows, []string{c.Name, mark(all.Current == c.Name), c.Address, c.User})
				}
				return t.printTable([]string{"NAME", "IN USE", "ADDRESS", "USER"}, rows)
			})
		},
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Speak to this daemon from now on; local: the one on this machine", Args: arguments(1, 1), ValidArgsFunction: t.contextNames,
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := readContexts()
			if err != nil {
				return err
			}
			if args[0] != local && all.index(args[0]) < 0 {
				return noContext(args[0])
			}
			all.Current = args[0]
			if err := all.save(); err != nil {
				return err
			}
			return t.print(map[string]string{"current": args[0]}, func() error {
				_, err := fmt.Fprintf(t.Out, "Commands go to %s now\n", args[0])
				return err
			})
		},
	}
	return t.group("context", "The daemons that commands go to: list, use; lxdfleet login adds one, lxdfleet logout removes it", list, use)
}

func mark(b bool) string {
	if b {
		return "*"
	}
	return ""
}
