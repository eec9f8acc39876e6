package apifake

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// Now is the time in this fleet.
var Now = time.Date(2025, 3, 14, 9, 26, 53, 0, time.UTC)

// Fleet is all services in memory. Its jobs are done as soon as they are made, unless Hold is
// called.
type Fleet struct {
	Tenants   *Tenants
	Domains   *Domains
	Images    *Images
	Jobs      *Jobs
	Snapshots *Snapshots
	Policies  *Policies
	Backups   *Backups
	Proxies   *Proxies
	Accounts  *Accounts
	Webhooks  *Webhooks
	Answers   *Answers

	mu    sync.Mutex
	fails map[string]error
	calls []string
	seen  int // answers of traffic
}

// New makes a fleet with two tenants (acme, running, with a pending domain; globex, in the
// trash), one adoptable instance and two versions of the image wordpress.
func New() *Fleet {
	f := &Fleet{fails: map[string]error{}}
	f.Jobs = newJobs(f)
	f.Answers = &Answers{fleet: f, byID: map[string]fleet.Answer{}}
	f.Tenants = newTenants(f)
	f.Domains = &Domains{fleet: f}
	f.Images = newImages(f)
	f.Snapshots, f.Policies, f.Backups = newSnapshots(f), newPolicies(f), newBackups(f)
	f.Proxies = &Proxies{fleet: f}
	f.Accounts, f.Webhooks = newAccounts(f), newWebhooks(f)
	return f
}

// Fail makes every later call of the method (such as "Create") fail with err; nil mends it.
func (f *Fleet) Fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[method] = err
}

// Calls gives the calls since it was last asked, as method and arguments.
func (f *Fleet) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// called notes a call and gives the error it is to have.
func (f *Fleet) called(method string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := method
	for _, a := range args {
		text += fmt.Sprintf(" %+v", a)
	}
	f.calls = append(f.calls, text)
	return f.fails[method]
}

// fault is called without the note.
func (f *Fleet) fault(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails[method]
}

// Options gives an API's options with all these services.
func (f *Fleet) Options(uploads string) api.Options {
	return api.Options{
		Tenants: f.Tenants, Domains: f.Domains, Images: f.Images, Jobs: f.Jobs, Proxies: f.Proxies, Placement: f, Moves: Moves{f}, Bulk: Bulk{f}, Clusters: Clusters{f},
		Snapshots: f.Snapshots, Policies: f.Policies, Backups: f.Backups,
		Accounts: f.Accounts, OpenID: OpenID{f}, Webhooks: f.Webhooks, Answers: f.Answers, Address: "https://fleet.example:8446",
		Feed: api.NewFeed(100, func() time.Time { return Now }),
		RecoverImages: func(context.Context) ([]fleet.GoldenImage, error) {
			return f.Images.images[:1], f.called("RecoverImages")
		},
		Plans:   f.plans,
		Routes:  f.routes,
		Traffic: f.traffic, Gauges: gaugesFake{f}, DiskCount: f.diskCount,
		Metrics:  http.HandlerFunc(f.metrics),
		LXD:      f.lxd,
		CA:       f.ca,
		Doctor:   f.doctor,
		Settings: settings(),
		Ping:     func(context.Context) error { return f.called("Ping") },
		Version:  "1.2.3", Project: "lxdfleet", DefaultPlan: "small", HTTPSPort: 443,
		UploadDir: uploads, UploadLimit: 8 * fleet.MiB,
		Now: func() time.Time { return Now },
	}
}

func (f *Fleet) plans(context.Context) ([]fleet.ProfileSpec, error) {
	plan := func(name, text, cpu, memory, disk string) fleet.ProfileSpec {
		return fleet.ProfileSpec{
			Name: name, Description: text,
			Config:  map[string]string{"limits.cpu": cpu, "limits.memory": memory, "limits.processes": "500"},
			Devices: map[string]map[string]string{"root": {"type": "disk", "path": "/", "size": disk}},
		}
	}
	return []fleet.ProfileSpec{
		plan("small", "For most clients", "1", "1GiB", "10GiB"), plan("large", "", "4", "4GiB", "40GiB"),
	}, f.called("Plans")
}

func (f *Fleet) routes(context.Context) ([]fleet.Route, error) {
	return []fleet.Route{
		{Domain: "acme.localhost", Tenant: "acme", State: fleet.RouteServe, Backend: "10.0.0.10:80"},
		{Domain: "globex.localhost", Tenant: "globex", State: fleet.RouteStopped},
		{Domain: "hooli.localhost", Tenant: "hooli", State: fleet.RouteMaintenance, Maintenance: &fleet.Maintenance{Message: "Back soon"}},
		{Domain: "initech.localhost", Tenant: "initech", State: fleet.RouteHold},
		{Domain: "www.acme.localhost", Tenant: "acme", State: fleet.RouteRedirect, Redirect: "acme.localhost", Code: 308},
	}, f.called("Routes")
}

func (f *Fleet) lxd(context.Context) (fleet.Server, error) {
	return fleet.Server{
		Version: "5.0.2", Clustered: true, Member: "n1", Kernel: "6.1.0", Address: "10.0.0.1:8443",
	}, f.called("LXD")
}

func (f *Fleet) ca(context.Context) ([]byte, error) {
	return []byte("-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n"), f.called("CA")
}

func (f *Fleet) doctor(context.Context) ([]setup.Finding, error) {
	return []setup.Finding{
		{Check: "lxd", State: setup.OK, Message: "LXD 5.0.2 answers"},
		{Check: "pool", State: setup.Warn, Message: "the pool is of type dir", Hint: "use zfs or btrfs"},
	}, f.called("Doctor")
}

// settings are the defaults, but for the socket.
func settings() config.Settings {
	s := config.Settings{Config: config.Default()}
	if err := s.Override("socket.path", "/run/fake.sock", config.Origin{Source: config.FromFlag, Name: "--socket"}); err != nil {
		panic(err) // it is well formed
	}
	return s
}
