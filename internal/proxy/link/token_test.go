package link

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestTokenIsGoodOnce(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	token, until, err := c.NewToken(t.Context(), "", time.Hour)
	ok(t, err)
	if d := time.Until(until); d < 59*time.Minute || d > time.Hour {
		t.Errorf("it is good for %v", d)
	}
	again, err := ParseToken(token.String())
	ok(t, err)
	identity, err := Join(t.Context(), again, "", "edge")
	ok(t, err)
	if identity.Name() != "edge" || !identity.JoinedWith(token) || identity.JoinedWith(Token{Secret: "x"}) {
		t.Errorf("joined as %s", identity.Name())
	}
	if _, err := Join(t.Context(), again, "", "other"); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("used twice: %v", err)
	}
}

func TestTokenRefused(t *testing.T) {
	r := newRecords()
	now := time.Now()
	c := startController(t, r, "", func(h *HubConfig) { h.Now = func() time.Time { return now } })
	c.join("taken")
	bound, _, err := c.NewToken(t.Context(), "mine", time.Hour)
	ok(t, err)
	free, _, err := c.NewToken(t.Context(), "", time.Hour)
	ok(t, err)
	other := startController(t, newRecords(), "", nil)
	stranger, _, err := other.NewToken(t.Context(), "", time.Hour)
	ok(t, err)
	stranger.Address = free.Address
	invented := free
	invented.Secret = "nobody made this"
	tests := []struct {
		name  string
		token Token
		as    string
		code  fleet.Code
		want  string
	}{
		{"name taken", free, "taken", fleet.Taken, "lxdfleet proxy remove taken"},
		{"no name", free, "No Name", fleet.Invalid, "lower-case"},
		{"invented secret", invented, "edge", fleet.Forbidden, ""},
		{"another controller's", stranger, "edge", fleet.Unavailable, "not the controller that this proxy knows"},
		{"nobody there", Token{Address: "https://127.0.0.1:1", Fingerprint: free.Fingerprint, Secret: "x"}, "edge", fleet.Unavailable, "nobody listens at 127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Join(t.Context(), tt.token, "", tt.as)
			if fleet.CodeOf(unwrapped(err)) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	identity, err := Join(t.Context(), bound, c.cfg.Address, "whatever")
	ok(t, err)
	if identity.Name() != "mine" {
		t.Errorf("joined as %s", identity.Name())
	}
	now = now.Add(time.Hour + time.Second)
	if _, err := Join(t.Context(), free, "", "late"); fleet.CodeOf(unwrapped(err)) != fleet.Forbidden {
		t.Errorf("a token that has ended: %v", err)
	}
	for _, ttl := range []time.Duration{0, time.Second, 1000 * time.Hour} {
		if _, _, err := c.NewToken(t.Context(), "", ttl); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("a token for %v: %v", ttl, err)
		}
	}
	if _, _, err := c.NewToken(t.Context(), "taken", time.Hour); fleet.CodeOf(err) != fleet.Taken {
		t.Errorf("a token for a name that is taken: %v", err)
	}
}

func unwrapped(err error) error {
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		return e
	}
	return err
}

func TestWithoutACertificateNothingIsServed(t *testing.T) {
	c := startController(t, newRecords(), "", fileStorage(t.TempDir()))
	identity := c.join("edge").current()
	stranger := identity.tls(time.Now)
	stranger.Certificates = nil
	calls, err := newCaller(identity.Controller, stranger)
	ok(t, err)
	defer calls.close()
	for _, r := range []struct{ method, path string }{
		{"POST", pathFollow},
		{"POST", pathRenew},
		{"GET", pathSettings},
		{"GET", pathValue},
		{"PUT", pathValue},
		{"DELETE", pathValue},
		{"GET", pathStat},
		{"GET", pathList},
		{"POST", pathLock},
		{"POST", pathKeepLock},
		{"POST", pathUnlock},
	} {
		if err := calls.json(t.Context(), r.method, r.path, struct{}{}, nil); fleet.CodeOf(err) != fleet.Forbidden {
			t.Errorf("%s %s: %v", r.method, r.path, err)
		}
	}
}

func TestIdentityFile(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	path := filepath.Join(t.TempDir(), "identity.json")
	if _, err := LoadIdentity(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none there: %v", err)
	}
	ok(t, c.join("edge").current().Save(path))
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	ok(t, os.WriteFile(path, []byte(`{"controller":"https://c:1"}`), 0o600))
	if _, err := LoadIdentity(path); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("broken: %v", err)
	}
}

func TestCertificatesAreRenewedAhead(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Now = clock })
	client := c.join("edge")
	client.now = clock
	if did, err := client.renew(t.Context()); did || err != nil {
		t.Errorf("renewed at once: %v", err)
	}
	client.Close()
	calls, err := newCaller(client.Controller(), client.identity.tls(clock))
	ok(t, err)
	client.calls = calls
	before := client.current().pair.Leaf
	own, err := c.certificate()
	ok(t, err)
	now = now.Add(leafLife*2/3 + time.Hour)
	did, err := client.renew(t.Context())
	ok(t, err)
	after := client.current().pair.Leaf
	if !did || !after.NotAfter.After(before.NotAfter) || after.Subject.String() != before.Subject.String() {
		t.Errorf("renewed %v: %v to %v", did, before.NotAfter, after.NotAfter)
	}
	kept, err := LoadIdentity(client.path)
	ok(t, err)
	if !kept.pair.Leaf.Equal(after) {
		t.Error("the new certificate is not kept")
	}
	if fresh, err := c.certificate(); err != nil || fresh.Leaf.Equal(own.Leaf) {
		t.Errorf("the controller's own is not renewed: %v", err)
	}
	if err := kept.expired(now.Add(leafLife + time.Hour)); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("expired: %v", err)
	}
}

func TestParseAddress(t *testing.T) {
	for in, good := range map[string]bool{
		"https://ctl.example:8444": true, "https://10.0.0.1:8444/": true, "https://[::1]:8444": true,
		"ctl:8444": false, "http://ctl:8444": false, "https://ctl": false, "https://ctl:8444/x": false, "https://u@ctl:8444": false, "": false,
	} {
		if _, err := ParseAddress(in); (err == nil) != good {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// A token comes back as it was written; what is not one is refused without being repeated.
func FuzzParseToken(f *testing.F) {
	f.Add(Token{Address: "https://c:1", Fingerprint: strings.Repeat("a", 64), Secret: "s", Name: "n"}.String())
	f.Add("lxdfleet-")
	f.Add("lxdfleet-eyJhIjoiIn0")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err != nil {
			if len(s) > 30 && strings.Contains(err.Error(), s) {
				t.Errorf("the error repeats the token: %v", err)
			}
			return
		}
		if again, err := ParseToken(token.String()); err != nil || again != token {
			t.Errorf("%+v became %+v, %v", token, again, err)
		}
	})
}
