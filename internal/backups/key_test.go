package backups

import (
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestKeyTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := newKey()
		typed := key
		if rapid.Bool().Draw(t, "lower") {
			typed = strings.ToLower(typed)
		}
		if rapid.Bool().Draw(t, "without hyphens") {
			typed = strings.ReplaceAll(typed, "-", rapid.SampledFrom([]string{"", " "}).Draw(t, "instead"))
		}
		if rapid.Bool().Draw(t, "by the look") {
			typed = strings.NewReplacer("0", "o", "1", "l").Replace(typed)
		}
		got, err := parseKey(" " + typed + "\n")
		if err != nil || got != key {
			t.Fatalf("%q is read as %q: %v", typed, got, err)
		}
		// One wrong letter is found, but for one in a million.
		letters := []byte(key)
		at := rapid.IntRange(0, len(letters)-1).Draw(t, "at")
		if letters[at] == '-' {
			return
		}
		was := letters[at]
		if letters[at] = '7'; was == '7' {
			letters[at] = '8'
		}
		if _, err := parseKey(string(letters)); fleet.CodeOf(err) != fleet.Invalid {
			t.Fatalf("%q with a mistake is taken: %v", letters, err)
		}
	})
}

func TestKeyOwn(t *testing.T) {
	for text, want := range map[string]string{
		"correct horse battery staple": "correct horse battery staple", " a passphrase! ": "a passphrase!", "short": "", "two\nlines of text": "",
	} {
		got, err := parseKey(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q: %v", text, got, err)
		}
	}
}

func TestVault(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		file := w.vault.opt.KeyFile
		if _, err := w.service.Init(ctx); fleet.CodeOf(err) != fleet.Taken {
			t.Errorf("a second init: %v", err)
		}
		st, err := w.service.Status(ctx)
		do(t, err)
		if st.State != StateReady || st.KeyRecorded || st.KeyID == "" || !st.Away || st.Stored != 4711 {
			t.Errorf("status %+v", st)
		}
		key, err := readKeyFile(file)
		do(t, err)
		wantError(t, w.service.Recorded(ctx, newKey()), fleet.Invalid, "not the recovery key")
		do(t, w.service.Recorded(ctx, strings.ToLower(key)))
		recorded := func(want bool) {
			t.Helper()
			if st, err := w.service.Status(ctx); err != nil || st.KeyRecorded != want {
				t.Errorf("recorded is %v: %v", st.KeyRecorded, err)
			}
		}
		recorded(true)
		b := w.backup("acme")
		rotated, err := w.service.Rotate(ctx)
		do(t, err)
		if rotated.Recovery == key || w.server.key != rotated.Recovery || rotated.ID == st.KeyID || exists(file+".next") {
			t.Errorf("rotated to %+v", rotated)
		}
		recorded(false)
		wantError(t, w.service.Recorded(ctx, key), fleet.Invalid, "not the recovery key")
		w.done(w.service.Restore(ctx, b.ID, RestoreRequest{}, Once{}))
	})
}

// Wherever a rotation is cut off, one of the keys on disk opens the repository.
func TestVaultRotationCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		file := w.vault.opt.KeyFile
		was := w.server.key
		w.server.rotated = func() error { return errors.New("the daemon dies") }
		if _, err := w.vault.Rotate(t.Context()); err == nil {
			t.Fatal("rotated")
		}
		do(t, w.vault.Close(t.Context()))
		if _, err := w.vault.Open(t.Context()); err != nil || w.server.key != was {
			t.Fatalf("after a rotation that never came: %v", err)
		}
		w.server.rotated = nil
		key, err := w.vault.Rotate(t.Context())
		do(t, err)
		// As if the daemon had died before the new key took its place.
		do(t, os.Rename(file, file+".next"))
		do(t, writeKeyFile(file, was))
		do(t, w.vault.Close(t.Context()))
		if _, err := w.vault.Open(t.Context()); err != nil {
			t.Fatalf("after a rotation that came: %v", err)
		}
		if got, err := readKeyFile(file); err != nil || got != key || exists(file+".next") {
			t.Errorf("the key file has another key: %v", err)
		}
	})
}

// A key is never overwritten, and never used to make a second repository.
func TestVaultKeyFile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx, file := t.Context(), w.vault.opt.KeyFile
		do(t, w.vault.Close(ctx))
		fails := func(v *Vault, code fleet.Code, words ...string) {
			t.Helper()
			_, err := v.Open(ctx)
			wantError(t, err, code, words...)
		}
		good := w.server.key
		wantError(t, writeKeyFile(file, newKey()), fleet.Taken, "already")
		do(t, os.Remove(file))
		fails(w.vault, fleet.NotFound, "does not exist")
		auto := NewVault(VaultOptions{Location: "file:///backups", KeyFile: file, Auto: true, Opener: w.server})
		if _, err := auto.Open(ctx); fleet.CodeOf(err) != fleet.Taken || exists(file) {
			t.Errorf("a repository whose key is lost: %v, key file there: %v", err, exists(file))
		}
		do(t, writeKeyFile(file, newKey()))
		fails(w.vault, fleet.Forbidden, "cannot be opened")
		do(t, os.WriteFile(file, []byte("# only words\n"), 0o600))
		fails(w.vault, fleet.Invalid, "no recovery key")
		do(t, os.WriteFile(file, []byte("# mine\n"+strings.ToLower(good)+"\n"), 0o600))
		_, err := w.vault.Open(ctx)
		do(t, err)

		// A server that does not say whether it took the key leaves the key.
		other := &server{down: true}
		second := NewVault(VaultOptions{Location: "file:///backups", KeyFile: file + "2", Auto: true, Opener: other})
		fails(second, fleet.Unavailable, "does not answer")
		if !exists(file + "2") {
			t.Error("the key went")
		}
		other.down = false
		if _, err := second.Open(ctx); fleet.CodeOf(err) != fleet.NotFound {
			t.Fatalf("a key without a repository: %v", err)
		}
	})
}
