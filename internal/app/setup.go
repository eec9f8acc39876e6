package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/internal/store"
	"github.com/lxdfleet/lxdfleet/profiles"
)

func setupOptions(cfg config.Config) setup.Options {
	return setup.Options{
		Project: cfg.LXD.Project, Pool: cfg.LXD.Pool, Network: cfg.LXD.Network,
		Profiles: profiles.FS, Missing: lxdapi.Missing,
	}
}

// Init prepares LXD and says on out what it did. resetProfiles overwrites profiles that
// somebody changed.
func Init(ctx context.Context, cfg config.Config, out io.Writer, resetProfiles bool) error {
	lxd, err := connect(ctx, cfg, slog.New(slog.DiscardHandler), false)
	if err != nil {
		return err
	}
	defer lxd.Close()
	opts := setupOptions(cfg)
	opts.ResetProfiles = resetProfiles
	if err := setup.Init(ctx, lxd, opts, out); err != nil {
		return err
	}
	return firstAdmin(ctx, cfg, out)
}

// firstAdmin prints the link by which the first admin sets a password, where nobody has logged
// in yet.
func firstAdmin(ctx context.Context, cfg config.Config, out io.Writer) error {
	if cfg.API.Listen == "off" {
		return nil
	}
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return dataDirError("make the data folder", err)
	}
	s, err := store.Open(ctx, cfg.DSN())
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer s.Close()
	secret, err := accounts.NewService(s, accounts.Options{}).FirstAdmin(ctx, "admin")
	if err != nil || secret == "" {
		return err
	}
	_, err = fmt.Fprintf(out, "\nFirst admin: set the password of the user \"admin\" at this address, once, within a day:\n  %s/welcome#%s\n", cfg.APIAddress(), secret)
	return err
}

// Doctor looks for what is wrong with this machine, its store and LXD. It changes nothing.
func Doctor(ctx context.Context, cfg config.Config) []setup.Finding {
	lxdFindings := setup.Doctor(ctx, func(ctx context.Context) (setup.LXD, error) {
		return connect(ctx, cfg, slog.New(slog.DiscardHandler), false)
	}, setupOptions(cfg))
	return append(append(hostFindings(ctx, cfg), lxdFindings...), reachFindings(ctx, cfg)...)
}

func hostFindings(ctx context.Context, cfg config.Config) []setup.Finding {
	findings := []setup.Finding{storeFinding(ctx, cfg), daemonFinding(ctx, cfg), debootstrapFinding()}
	findings = append(findings, backupFindings(ctx, cfg)...)
	findings = append(findings, openIDFindings(ctx, cfg)...)
	if cfg.LXD.URL == "" {
		findings = append(findings, idmapFinding("/etc/subuid"))
	}
	return findings
}

func storeFinding(ctx context.Context, cfg config.Config) setup.Finding {
	if cfg.Store.DSN == "" {
		if _, err := os.Stat(filepath.Dir(cfg.DataDir)); err != nil {
			return setup.Finding{Check: "store", State: setup.Fail, Message: err.Error(), Hint: "set data_dir to a folder that can be made"}
		}
		if _, err := os.Stat(filepath.Join(cfg.DataDir, "lxdfleet.db")); errors.Is(err, os.ErrNotExist) {
			return setup.Finding{Check: "store", State: setup.OK, Message: "no database yet; the daemon makes it in " + cfg.DataDir}
		}
	}
	s, err := store.Open(ctx, cfg.DSN(), store.AsIs())
	if err != nil {
		f := setup.Finding{Check: "store", State: setup.Fail, Message: err.Error(), Hint: "mend the database, or set store.dsn to another"}
		if e, ok := errors.AsType[*fleet.Error](err); ok && e.Hint != "" {
			f.Message, f.Hint = e.Message, e.Hint
		}
		return f
	}
	defer s.Close()
	return setup.Finding{Check: "store", State: setup.OK, Message: "the database answers"}
}

func daemonFinding(ctx context.Context, cfg config.Config) setup.Finding {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", cfg.Socket.Path)
	if err != nil {
		return setup.Finding{
			Check: "daemon", State: setup.Warn, Message: "the daemon does not answer on " + cfg.Socket.Path,
			Hint: "start it: lxdfleet serve",
		}
	}
	conn.Close()
	return setup.Finding{Check: "daemon", State: setup.OK, Message: "answers on " + cfg.Socket.Path}
}

func debootstrapFinding() setup.Finding {
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return setup.Finding{
			Check: "debootstrap", State: setup.Warn, Message: "debootstrap is not installed; recipes with a debootstrap base cannot be built",
			Hint: "apt install debootstrap",
		}
	}
	return setup.Finding{Check: "debootstrap", State: setup.OK, Message: "installed"}
}

// idsPerInstance is how many user ids LXD gives an isolated instance by default
// (security.idmap.size in LXD's manual).
const idsPerInstance = 65536

// idmapFinding tells how many isolated instances the user ids that root may hand out are
// enough for. Debian's package sets up ten million, the snap a billion.
func idmapFinding(file string) setup.Finding {
	ids, err := subordinateIDs(file)
	if err != nil {
		return setup.Finding{Check: "user ids", State: setup.OK, Message: "LXD has a range of its own: " + err.Error()}
	}
	room := ids / idsPerInstance
	f := setup.Finding{Check: "user ids", State: setup.OK, Message: fmt.Sprintf("enough for %d instances on this member", room)}
	if room < 1000 {
		f.State = setup.Warn
		f.Hint = "for more, write root:1000000:1000000000 into /etc/subuid and /etc/subgid and restart LXD while no instance runs"
	}
	return f
}
