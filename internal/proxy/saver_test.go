package proxy

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func emptyTable(generation int64) *Table {
	t, _ := BuildTable(generation, nil)
	return t
}

func TestSaverWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.json")
	synctest.Test(t, func(t *testing.T) {
		s := newSaver(path, 3, slog.New(slog.DiscardHandler))
		if err := s.wait(t.Context(), 3); err != nil {
			t.Errorf("what the file had: %v", err)
		}
		s.offer(emptyTable(4))
		s.offer(emptyTable(5)) // nobody writes yet
		waited := make(chan error, 1)
		go func() { waited <- s.wait(t.Context(), 4) }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if saved, err := LoadTable(path); err != nil || saved.generation != 5 {
			t.Errorf("saved %+v, %v", saved, err)
		}
		cancel()
		synctest.Wait()
		if err := s.wait(ctx, 6); fleet.CodeOf(err) != fleet.Unavailable {
			t.Errorf("without a writer: %v", err)
		}
	})
}

func TestSaverSaysWhyNot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	synctest.Test(t, func(t *testing.T) {
		s := newSaver(filepath.Join(dir, "routes.json"), 0, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.run(ctx)
		s.offer(emptyTable(1))
		if err := s.wait(ctx, 1); fleet.CodeOf(err) != fleet.Unavailable {
			t.Errorf("%v", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := s.wait(ctx, 1); err != nil { // the same table: nothing has changed but the disk
			t.Error(err)
		}
		s.offer(emptyTable(2))
		if err := s.wait(ctx, 2); err != nil {
			t.Error(err)
		}
	})
	if err := newSaver("", 0, nil).wait(t.Context(), 9); err != nil {
		t.Errorf("where nothing is saved: %v", err)
	}
}
