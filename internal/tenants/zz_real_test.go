package tenants

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
	"bytes"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestZZReal(t *testing.T) {
	ctx := t.Context()
	c, err := lxdapi.Connect(ctx, lxdapi.Options{Project: "lxdfleet-test-tenants"})
	do(t, err)
	_, err = c.EnsureProject(ctx, fleet.ProjectSpec{Name: "lxdfleet-test-tenants", Config: map[string]string{"features.images": "true", "features.profiles": "true"}})
	do(t, err)
	defer func() { bg := context.Background()
		list, _ := c.Instances(bg, false)
		for _, i := range list { c.EnsureDeleted(bg, i.Name) }
		imgs, _ := c.Images(bg)
		for _, i := range imgs { c.EnsureImageDeleted(bg, i.Fingerprint) }
		fmt.Println("delete project", c.DeleteProject(bg)); c.Close() }()
	_, err = c.EnsureProfile(ctx, fleet.ProfileSpec{Name: "default", Devices: map[string]map[string]string{
		"root": {"type": "disk", "path": "/", "pool": "default"}, "eth0": {"type": "nic", "nictype": "bridged", "parent": "br0", "name": "eth0"}}})
	do(t, err)
	_, err = c.EnsureProfile(ctx, fleet.ProfileSpec{Name: "small"})
	do(t, err)
	f, err := os.Open("/var/cache/lxdfleet/base-bookworm-amd64.tar.gz")
	do(t, err)
	fp, err := c.EnsureImported(ctx, f, nil, func(fleet.Progress) {})
	do(t, err)
	do(t, c.EnsureUnpacked(ctx, fp, "n1"))
	db, err := store.Open(ctx, "sqlite://"+t.TempDir()+"/x.db")
	do(t, err)
	img := fleet.GoldenImage{Name: "base", Version: "1", Fingerprint: fp, Health: fleet.DefaultHealth(), CreatedAt: time.Now()}
	do(t, db.InsertImage(ctx, img)); do(t, db.SetCurrentImage(ctx, img.Ref()))
	obs := NewObserver(c, db, db, well{}, ObserverOptions{Changed: func(n string) {}})
	octx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { obs.Run(octx) })
	defer wg.Wait(); defer cancel()
	reg := jobs.NewRegistry()
	do(t, Register(reg, KindDeps{LXD: c, Store: db, Observer: obs, Prober: well{}}))
	e := jobs.NewEngine(db, reg, jobs.Options{OnEvent: obs.JobEvent})
	do(t, e.Start(octx)); defer e.Stop(context.Background())
	svc := NewService(ServiceDeps{LXD: c, Store: db, Images: db, Jobs: db, Submit: e, Observer: obs}, ServiceOptions{BaseDomain: "x.test"})
	time.Sleep(2 * time.Second)
	floor := func(name string) time.Duration {
		began := time.Now()
		do(t, c.EnsureClone(ctx, fleet.CloneSpec{Name: name, Fingerprint: fp, Member: "n1", Profiles: []string{"default", "small"}, Config: map[string]string{fleet.KeyJob: "x"}}, nil))
		do(t, c.EnsureStarted(ctx, name))
		var out bytes.Buffer
		_, err := c.Exec(ctx, name, fleet.ExecSpec{Command: []string{"sh", "-c", hookScript, "sh", ""}, Stdout: &out})
		do(t, err)
		if toldAddress(out.String()) == "" { fmt.Println("no address", out.String()) }
		return time.Since(began)
	}
	ours := func(name string) time.Duration {
		began := time.Now()
		job, err := svc.Create(ctx, CreateRequest{Name: name, Image: "base", Member: "n1"}, Once{})
		do(t, err)
		for { r, _ := obs.Routes(ctx)
			for _, x := range r { if x.Tenant.String() == name && x.State == fleet.RouteServe { 
				d := time.Since(began); j, _ := e.Wait(ctx, job.ID); if j.State != fleet.JobDone { t.Error(j) }
				return d } }
			time.Sleep(2*time.Millisecond) 
			if j, _ := db.Job(ctx, job.ID); j.State.Finished() && j.State != fleet.JobDone { t.Error(j.Error); return 0 } }
	}
	for i := range 5 {
		a := floor(fmt.Sprintf("f%d", i)); b := ours(fmt.Sprintf("o%d", i))
		fmt.Println("single floor", a, "ours", b)
		evs, _ := db.Jobs(ctx, jobs.JobFilter{Kind: KindCreate, Limit: 1})
		list, _ := db.JobEvents(ctx, evs[0].ID, 0, 0)
		if i == 4 { for _, x := range list { fmt.Println(x.At.Sub(list[0].At), x.Step, x.Type) } }
	}
	for _, n := range []string{"f0","f1","f2","f3","f4"} { c.EnsureDeleted(ctx, n) }
	many := func(fn func(string) time.Duration, p string) time.Duration {
		var wg sync.WaitGroup; began := time.Now()
		for i := range 8 { wg.Go(func() { fn(fmt.Sprintf("%s%d", p, i)) }) }
		wg.Wait(); return time.Since(began)
	}
	fa := many(floor, "mf"); for i := range 8 { c.EnsureDeleted(ctx, fmt.Sprintf("mf%d", i)) }
	fmt.Println("eight at once floor", fa, "ours", many(ours, "mo"))
	do(t, svcErr(svc.Stop(ctx, "o0", 0, Once{})))
	time.Sleep(4*time.Second)
	v, _ := svc.Get(ctx, "o0"); fmt.Println("stopped", v.Status)
	do(t, svcErr(svc.Start(ctx, "o0", Once{})))
	time.Sleep(4*time.Second)
	v, _ = svc.Get(ctx, "o0"); fmt.Println("started", v.Status, v.Observation.Address)
	// address change inside
	obs.opt.Dial = nil
}
func svcErr(_ fleet.Job, err error) error { return err }
