package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// fleet is a tenant.
type fleet struct{ bench.Tenant }

// snapshot follows the job to its end, and fails where the snapshot is crash-consistent.
func (f *fleet) snapshot(ctx context.Context, name string) (time.Duration, error) {
	err := f.Daemon.Do(ctx, http.MethodPost, f.Path()+"/snapshots", map[string]any{"name": name})
	if err != nil {
		return 0, err
	}
	answer, err := f.Daemon.Call(ctx, http.MethodGet, f.Path()+"/snapshots/"+name, nil)
	if err != nil {
		return 0, err
	}
	var shown struct{ Consistency, Why, Held string }
	if err := json.Unmarshal(answer, &shown); err != nil {
		return 0, err
	}
	if shown.Consistency != "application" {
		return 0, fmt.Errorf("snapshot %s is %s-consistent: %s", name, shown.Consistency, shown.Why)
	}
	return time.ParseDuration(shown.Held)
}

// forget deletes all snapshots: a restore has taken one of its own.
func (f *fleet) forget(ctx context.Context, _ string) error {
	answer, err := f.Daemon.Call(ctx, http.MethodGet, f.Path()+"/snapshots", nil)
	if err != nil {
		return err
	}
	var list struct{ Items []struct{ Name string } }
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	for _, s := range list.Items {
		if err := f.Daemon.Do(ctx, http.MethodDelete, f.Path()+"/snapshots/"+s.Name+"?force=true", nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) restore(ctx context.Context, name string) error {
	if err := f.Daemon.Do(ctx, http.MethodPost, f.Path()+"/snapshots/"+name+"/restore", nil); err != nil {
		return err
	}
	return f.Page(ctx)
}
