//go:build integration

package repository

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// kopia runs kopia's own tool.
func kopia(t *testing.T, home string, args ...string) string {
	t.Helper()
	out, err := tryKopia(t, home, args...)
	if err != nil {
		t.Fatalf("kopia %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func tryKopia(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	tool, err := filepath.Abs("../../../bin/kopia-0.23.1")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "KOPIA_PASSWORD="+passphrase, "KOPIA_CHECK_FOR_UPDATES=false")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, &complaints)
	}
	return string(out), nil
}

// kopia's own tool lists, verifies and restores a backup, from a folder and from a bucket.
func TestKopiaReads(t *testing.T) {
	dir := t.TempDir()
	inFolder, err := Init(t.Context(), folderOptions(dir), Lock{})
	if err != nil {
		t.Fatal(err)
	}
	defer inFolder.Close(t.Context())
	cfg := s3server.Start(t).Bucket()
	inBucket := initBucket(t, cfg)
	for name, tc := range map[string]struct {
		r       *Repository
		connect []string
	}{
		"folder": {inFolder, []string{"filesystem", "--path", inFolder.folder.path}},
		"bucket": {inBucket, inABucket(cfg)},
	} {
		t.Run(name, func(t *testing.T) {
			photo := random(1, 3<<20)
			stream := archive(t, entries{
				{Header: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}},
				{Header: tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 0, Gid: 7}},
				{Header: tar.Header{Name: "./etc/hosts", Mode: 0o640, Uid: 33, Gid: 34}, content: []byte("127.0.0.1 localhost\n")},
				{Header: tar.Header{Name: "./etc/names", Typeflag: tar.TypeLink, Linkname: "./etc/hosts"}},
				{Header: tar.Header{Name: "./lib", Typeflag: tar.TypeSymlink, Linkname: "usr/lib"}},
				{Header: tar.Header{Name: "./photo"}, content: photo},
			})
			s := mustWrite(t, tc.r, Meta{Tenant: "acme", TakenAt: someTime, Labels: map[string]string{"policy": "daily"}}, stream)
			home := t.TempDir()
			kopia(t, home, append([]string{"repository", "connect"}, tc.connect...)...)
			var list []struct {
				ID     string
				Source struct{ Path string }
			}
			if err := json.Unmarshal([]byte(kopia(t, home, "snapshot", "list", "--all", "--json")), &list); err != nil {
				t.Fatal(err)
			}
			if len(list) != 1 || list[0].ID != s.ID || list[0].Source.Path != "/acme" {
				t.Errorf("kopia lists %+v", list)
			}
			kopia(t, home, "snapshot", "verify", "--verify-files-percent", "100", s.ID)
			to := filepath.Join(t.TempDir(), "restored")
			kopia(t, home, "snapshot", "restore", s.ID+"/files", to)
			for name, want := range map[string][]byte{"etc/hosts": []byte("127.0.0.1 localhost\n"), "etc/names": []byte("127.0.0.1 localhost\n"), "photo": photo} {
				if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			if target, err := os.Readlink(filepath.Join(to, "lib")); err != nil || target != "usr/lib" {
				t.Errorf("the link leads to %q: %v", target, err)
			}
			info, err := os.Stat(filepath.Join(to, "etc/hosts"))
			if err != nil || info.Mode().Perm() != 0o640 || !info.ModTime().Equal(someTime) {
				t.Errorf("%v: %v", info, err)
			}
			if _, err := tryKopia(t, home, "maintenance", "run", "--full"); err == nil {
				t.Error("kopia's tool prunes, without our lock")
			}
			if got := mustRead(t, tc.r, s.ID); !bytes.Equal(got, stream) {
				t.Error("not the same after kopia was there")
			}
		})
	}
}

func inABucket(cfg s3.Config) []string {
	return []string{
		"s3", "--bucket", cfg.Bucket, "--prefix", "fleet/", "--endpoint", strings.TrimPrefix(cfg.Endpoint, "http://"),
		"--disable-tls", "--region", cfg.Region, "--access-key", cfg.AccessKey, "--secret-access-key", cfg.SecretKey,
	}
}
