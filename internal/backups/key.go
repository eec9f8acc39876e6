package backups

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// The recovery key is written so that people can copy it by hand: eight groups of four letters
// and digits, 160 random bits, and one group by which a mistake is found. Neither I, L, O nor U
// is in it.
var keyLetters = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

const (
	keyBytes  = 20
	keyGroups = 9
	// shortestKey is how many characters a passphrase of somebody's own has at least.
	shortestKey = 12
)

// newKey makes a recovery key.
func newKey() string {
	raw := make([]byte, keyBytes)
	if _, err := rand.Read(raw); err != nil {
		panic(err) // crypto/rand never fails on a supported kernel
	}
	return grouped(keyLetters.EncodeToString(raw))
}

func grouped(letters string) string {
	letters += checkGroup(letters)
	var groups []string
	for i := 0; i < len(letters); i += 4 {
		groups = append(groups, letters[i:i+4])
	}
	return strings.Join(groups, "-")
}

func checkGroup(letters string) string {
	sum := sha256.Sum256([]byte("lxdfleet recovery key " + letters))
	return keyLetters.EncodeToString(sum[:])[:4]
}

// parseKey reads a recovery key as people type it, in any case, with or without hyphens, with
// O for 0 and I or L for 1. What has not its form is a passphrase of somebody's own and is
// taken as it is. The error is fleet.Invalid with field "key".
func parseKey(text string) (string, error) {
	text = strings.TrimSpace(text)
	letters := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(text))
	if len(letters) == keyGroups*4 && strings.Trim(letters, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == "" {
		body, check := letters[:len(letters)-4], letters[len(letters)-4:]
		if checkGroup(body) != check {
			return "", fleet.Errorf(fleet.Invalid, "this recovery key has a mistake in it").WithField("key").
				WithHint("compare each group with the copy; the last group is there to find mistakes")
		}
		return grouped(body), nil
	}
	if utf8.RuneCountInString(text) < shortestKey || strings.ContainsAny(text, "\n\x00") || !utf8.ValidString(text) {
		return "", fleet.Errorf(fleet.Invalid, "this is no recovery key, and no passphrase of one line and at least %d characters", shortestKey).
			WithField("key").WithHint("a recovery key has nine groups of four letters and digits")
	}
	return text, nil
}

// keyID names a key without telling it: 24 bits of its hash.
func keyID(key string) string {
	sum := sha256.Sum256([]byte("lxdfleet key id " + key))
	return hex.EncodeToString(sum[:3])
}

// readKeyFile reads a key; fleet.NotFound where there is no file. Lines that begin with # say
// what it is for.
func readKeyFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fleet.Errorf(fleet.NotFound, "the key file %s does not exist", path).WithField("backups.key_file").
			WithHint("put the recovery key there, or make a repository with a new one: lxdfleet backup init")
	}
	if err != nil {
		return "", fleet.Errorf(fleet.Forbidden, "read the key of the backups: %w", err).WithField("backups.key_file").
			WithHint("let the daemon read it")
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	key, err := parseKey(strings.Join(lines, "\n"))
	if err != nil {
		e, _ := errors.AsType[*fleet.Error](err)
		return "", fleet.Errorf(fleet.Invalid, "the key file %s: %s", path, e.Message).WithField("backups.key_file").WithHint("%s", e.Hint)
	}
	return key, nil
}

// writeKeyFile writes a key to a new file, on disk when it returns. fleet.Taken where there is a
// file: a key is never overwritten.
func writeKeyFile(path, key string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fleet.Errorf(fleet.Forbidden, "make the folder of the key file: %w", err).WithField("backups.key_file").
			WithHint("set backups.key_file to a place that can be written to")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fleet.Errorf(fleet.Taken, "there is a key file %s already", path).WithField("backups.key_file").
			WithHint("it is never overwritten; move it away if it is of no use")
	}
	if err != nil {
		return fleet.Errorf(fleet.Forbidden, "write the key of the backups: %w", err).WithField("backups.key_file").
			WithHint("set backups.key_file to a place that can be written to")
	}
	_, err = fmt.Fprintf(f, "# The recovery key of lxdfleet's backups. Without it they cannot be read by anybody.\n%s\n", key)
	err = errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
	if err != nil {
		_ = os.Remove(path) // half a key is worse than none; nothing was made with it
		return fleet.Errorf(fleet.Exhausted, "write the key of the backups: %w", err).WithField("backups.key_file").
			WithHint("see whether the disk is full")
	}
	return nil
}

// replaceKeyFile makes the file next the key file.
func replaceKeyFile(next, path string) error {
	if err := os.Rename(next, path); err != nil {
		return fleet.Errorf(fleet.Forbidden, "put the new key in place: %w", err).WithField("backups.key_file").
			WithHint("the new key is in %s; move it to %s", next, path)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
