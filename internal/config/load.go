package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// DefaultFile is read when no other file is named and it exists.
const DefaultFile = "/etc/lxdfleet/lxdfleet.yaml"

// EnvFile is the environment variable that names the file to read.
const EnvFile = "LXDFLEET_CONFIG"

// Find says which file to read: the one named, else $LXDFLEET_CONFIG, else DefaultFile if it
// exists, else none (the empty string).
func Find(named string) string {
	if named != "" {
		return named
	}
	if env := os.Getenv(EnvFile); env != "" {
		return env
	}
	if _, err := os.Stat(DefaultFile); err == nil {
		return DefaultFile
	}
	return ""
}

// Load reads the file over the defaults and checks the result; an empty path gives the
// defaults. Its errors are of code Invalid (NotFound where there is no such file), name the
// file, line and column, and say what to do.
func Load(path string) (Config, error) {
	s, err := Read(path)
	return s.Config, err
}

// Read is Load that also knows where each setting comes from.
func Read(path string) (Settings, error) {
	if path == "" {
		return Settings{Config: Default()}, nil
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Settings{}, fleet.Errorf(fleet.NotFound, "there is no configuration file %s", path).
			WithHint("make one with: lxdfleet config example > %s", path)
	case err != nil:
		return Settings{}, fmt.Errorf("read the configuration: %w", err)
	}
	c, where, err := parse(path, data)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Config: c, File: path}
	for field := range where.at {
		if !where.empty[field] {
			s.origin(field, Origin{FromFile, where.of(field)})
		}
	}
	s.environment()
	return s, nil
}

// Parse is Load for data that is in memory; name stands for the file in errors.
func Parse(name string, data []byte) (Config, error) {
	c, _, err := parse(name, data)
	return c, err
}

func parse(name string, data []byte) (Config, places, error) {
	c := Default()
	where, err := decode(name, data, &c)
	if err != nil {
		return Config{}, where, err
	}
	if err := c.Validate(); err != nil {
		if e, ok := errors.AsType[*fleet.Error](err); ok {
			e.Message = where.of(e.Field) + ": " + e.Message
		}
		return Config{}, where, err
	}
	return c, where, nil
}
