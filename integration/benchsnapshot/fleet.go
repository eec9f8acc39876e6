package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// fleet is a tenant. Its load comes through the proxy.
type fleet struct {
	bench.LXC
	daemon      *bench.Fleet
	image, plan string
}

const (
	tenantName   = "bench-tenant"
	tenantDomain = tenantName + ".localhost"
	tenantPath   = "/v1/tenants/" + tenantName
)

func (f *fleet) label() string { return "lxdfleet" }
func (f *fleet) name() string  { return tenantName }

func (f *fleet) create(ctx context.Context) error {
	err := f.daemon.Do(ctx, http.MethodPost, "/v1/tenants", map[string]any{
		"name": tenantName, "image": f.image, "plan": f.plan, "domains": []string{tenantDomain},
	})
	if err != nil {
		return err
	}
	return f.page(ctx)
}

func (f *fleet) page(ctx context.Context) error {
	url, client := f.site()
	return bench.PollPage(ctx, client, url+"/", tenantDomain)
}

func (f *fleet) remove(ctx context.Context) {
	_ = f.daemon.Do(ctx, http.MethodDelete, tenantPath+"?now=true", nil) // it may never have come to be
}

// snapshot follows the job to its end, and fails where the snapshot is crash-consistent.
func (f *fleet) snapshot(ctx context.Context, name string) (time.Duration, error) {
	err := f.daemon.Do(ctx, http.MethodPost, tenantPath+"/snapshots", map[string]any{"name": name})
	if err != nil {
		return 0, err
	}
	answer, err := f.daemon.Call(ctx, http.MethodGet, tenantPath+"/snapshots/"+name, nil)
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
	answer, err := f.daemon.Call(ctx, http.MethodGet, tenantPath+"/snapshots", nil)
	if err != nil {
		return err
	}
	var list struct{ Items []struct{ Name string } }
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	for _, s := range list.Items {
		if err := f.daemon.Do(ctx, http.MethodDelete, tenantPath+"/snapshots/"+s.Name+"?force=true", nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) restore(ctx context.Context, name string) error {
	if err := f.daemon.Do(ctx, http.MethodPost, tenantPath+"/snapshots/"+name+"/restore", nil); err != nil {
		return err
	}
	return f.page(ctx)
}

func (f *fleet) site() (string, *http.Client) {
	client := *f.daemon.Pages
	client.Timeout = time.Minute
	return "https://" + tenantDomain, &client
}
