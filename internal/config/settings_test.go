package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// read gives the settings of a file that holds text.
func read(t *testing.T, text string) (s Settings, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return s, file
}

func named(t *testing.T, s Settings, name string) Setting {
	t.Helper()
	for _, setting := range s.List() {
		if setting.Name == name {
			return setting
		}
	}
	t.Fatalf("there is no setting %s", name)
	return Setting{}
}

func TestSettingsKnowWhereTheyComeFrom(t *testing.T) {
	t.Setenv(accessKeyVariable, "AKIA")
	t.Setenv(secretKeyVariable, "")
	s, file := read(t, "s3: {endpoint: https://s3.example, bucket: b}\ndns:\n  zones: [a.example, b.example]\nlog:\n  level: info\n  format:\n")
	if err := s.Override("socket.path", "/run/x", Origin{FromFlag, "--socket"}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, value string
		source      Source
		from        string
	}{
		{"dns.zones", "a.example, b.example", FromFile, file + ":3:3"},
		{"log.level", "info", FromFile, file + ":5:3"}, // it was said, though it is the default
		{"log.format", "text", FromDefault, ""},        // nothing was said
		{"proxy.hold_timeout", "30s", FromDefault, ""},
		{"socket.path", "/run/x", FromFlag, "--socket"},
		{"s3.access_key", "", FromEnvironment, accessKeyVariable},
		{"s3.secret_key_file", "", FromDefault, ""},
	}
	for _, tt := range tests {
		if got := named(t, s, tt.name); got.Value != tt.value || got.Origin != (Origin{tt.source, tt.from}) {
			t.Errorf("%+v", got)
		}
	}
	if s.Socket.Path != "/run/x" || s.File != file {
		t.Error(s.Socket.Path, s.File)
	}
	if got := named(t, s, "s3.access_key"); !got.Hidden {
		t.Error("the environment's key does not count as set")
	}
}

func TestOverrideKeepsTheRules(t *testing.T) {
	s := Settings{Config: Default()}
	if err := s.Override("socket.path", "run/x", Origin{FromFlag, "--socket"}); fleet.CodeOf(err) != fleet.Invalid {
		t.Error(err)
	}
}

func TestSettingsShowNoPassword(t *testing.T) {
	c := Default()
	c.Store.DSN = "mysql://fleet:hunter2@/x@tcp(db:3306)/lxdfleet"
	c.Images.DebootstrapMirror = "https://me:hunter2@mirror.example/debian"
	c.TLS.Authorities = []string{"https://ca.example/directory", "https://me:hunter2@ca.example/directory"}
	s := Settings{Config: c}
	for _, name := range []string{"store.dsn", "images.debootstrap_mirror", "tls.authorities"} {
		if got := named(t, s, name); strings.Contains(got.Value, "hunter2") || !got.Hidden {
			t.Errorf("%+v", got)
		}
	}
	if out := c.YAML(); strings.Contains(out, "hunter2") {
		t.Error(out)
	}
	if got := named(t, s, "tls.storage"); got.Hidden {
		t.Errorf("%+v", got)
	}
}

func TestSettingsWithoutPasswordAreShownWhole(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:8446", "[::1]:80", "sqlite:///var/lib/x.db", "mysql://root@tcp(db)/x", "mysql://tcp(db:3306)/x", "https://me@ca.example", "file:///srv/a:b@c"} {
		if got := withoutPassword(text); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestEverySettingSaysWhatItDoes(t *testing.T) {
	for _, s := range (Settings{Config: Default()}).List() {
		if s.About == "" || s.Default != s.Value {
			t.Errorf("%+v", s)
		}
	}
	if got := named(t, Settings{Config: Default()}, "proxy.pages_contact"); !strings.Contains(got.About, "whom to ask") {
		t.Errorf("%+v", got)
	}
}
