package app

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func streamOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}))
	must(w.WriteHeader(&tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}))
	for _, name := range files {
		must(w.WriteHeader(&tar.Header{Name: "./etc/" + name, Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 7, Size: int64(len(name))}))
		_, err := io.WriteString(w, name)
		must(err)
	}
	must(w.Close())
	return out.Bytes()
}

// The vault of a daemon with nothing configured makes a repository in a folder by itself, and its
// repository outlives the request that opened it.
func TestVaultOfFolder(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	v := vaultOf(cfg)
	request, end := context.WithCancel(t.Context())
	repo, err := v.Open(request)
	if err != nil {
		t.Fatal(err)
	}
	end()
	ctx := t.Context()
	if v.Away() || v.KeyID() == "" {
		t.Errorf("away %v, key %q", v.Away(), v.KeyID())
	}
	stream := streamOf(t, "hostname", "passwd")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	label := `{"what":"` + strings.Repeat("long ", 10_000) + `ü"}`
	stored, err := repo.Write(ctx, backups.Meta{
		Kind: backups.KindTenant, Tenant: "acme", TakenAt: at, Labels: map[string]string{"keepsake": label, "job": "j1"},
	}, bytes.NewReader(stream), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Write(ctx, backups.Meta{Kind: backups.KindControl, Tenant: "control", TakenAt: at}, bytes.NewReader(stream), nil); err != nil {
		t.Fatal(err)
	}
	newer, err := repo.Write(ctx, backups.Meta{Kind: backups.KindControl, Tenant: "control", TakenAt: at.Add(time.Hour)}, bytes.NewReader(stream), nil)
	if err != nil {
		t.Fatal(err)
	}
	if controls, err := repo.List(ctx, backups.KindControl); err != nil || len(controls) != 2 || controls[0].ID != newer.ID {
		t.Errorf("the newest is not the first of %+v: %v", controls, err)
	}
	if err := v.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if repo, err = v.Open(ctx); err != nil {
		t.Fatal(err)
	}
	list, err := repo.List(ctx, backups.KindTenant)
	if err != nil || len(list) != 1 || list[0].ID != stored.ID || !list[0].Meta.TakenAt.Equal(at) || list[0].Meta.Labels["keepsake"] != label ||
		list[0].Meta.Labels["job"] != "j1" || list[0].Size == 0 || list[0].DoneAt.IsZero() {
		t.Fatalf("list %+v: %v", list, err)
	}
	var back bytes.Buffer
	if err := repo.Read(ctx, stored.ID, &back, nil); err != nil || !bytes.Equal(back.Bytes(), stream) {
		t.Errorf("%d bytes read back, %d written: %v", back.Len(), len(stream), err)
	}
	files, err := repo.Files(ctx, stored.ID, "/etc")
	if err != nil || len(files) != 2 || files[0].Path != "/etc/hostname" || files[0].Type != fleet.FileRegular || files[0].Mode != 0o4755 || files[0].UID != 7 {
		t.Errorf("files %+v: %v", files, err)
	}
	in, info, err := repo.File(ctx, stored.ID, "etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(in)
	if in.Close(); err != nil || string(content) != "passwd" || info.Path != "/etc/passwd" {
		t.Errorf("file %+v %q: %v", info, content, err)
	}
	if size, err := repo.Size(ctx); err != nil || size == 0 {
		t.Errorf("size %d: %v", size, err)
	}
	if wrong, err := repo.Verify(ctx, []string{stored.ID}, true, nil); err != nil || len(wrong) != 0 {
		t.Errorf("wrong %v: %v", wrong, err)
	}
	if _, err := v.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if repo, err = v.Open(ctx); err != nil {
		t.Fatal(err)
	}
	spoil(t, filepath.Join(cfg.DataDir, "backups"))
	wrong, err := repo.Verify(ctx, []string{stored.ID}, true, nil)
	if err != nil || len(wrong[stored.ID]) == 0 {
		t.Errorf("a spoilt repository: %v, %v", wrong, err)
	}
	err = repo.Read(ctx, stored.ID, io.Discard, nil)
	if d, ok := errors.AsType[*backups.Damage](err); !ok || d.What == "" {
		t.Errorf("a read of it: %v", err)
	}
	for range 2 {
		if err := repo.Delete(ctx, stored.ID); err != nil {
			t.Error(err)
		}
	}
	if err := repo.Prune(ctx, nil); err != nil {
		t.Error(err)
	}
	if err := v.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := v.Init(ctx); fleet.CodeOf(err) != fleet.Taken {
		t.Errorf("a second repository in its place: %v", err)
	}
}

// spoil turns a bit in every pack of files.
func spoil(t *testing.T, folder string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(path[len(folder):], "/p") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		for i := range data {
			data[i] ^= 1
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d packs spoilt: %v", n, err)
	}
}
