package tenants

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// lose gives the service an empty store.
func (w *world) lose(t *testing.T) {
	t.Helper()
	empty, err := store.Open(t.Context(), "sqlite::memory:")
	do(t, err)
	t.Cleanup(func() { do(t, empty.Close()) })
	w.service.Store = empty
}

// outcomes gives what became of each instance.
func outcomes(t *testing.T, w *world, dryRun bool) map[string]RecoverOutcome {
	t.Helper()
	report, err := w.service.Recover(t.Context(), dryRun)
	do(t, err)
	found := map[string]RecoverOutcome{}
	for _, r := range report {
		if r.Outcome == RecoverConflict && r.Reason == "" {
			t.Errorf("%s: a conflict without a reason", r.Instance)
		}
		found[r.Instance] = r.Outcome
	}
	return found
}

func TestRecoverIntoEmptyStore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.done(w.service.Create(t.Context(), CreateRequest{
			Name: "acme", DisplayName: "Acme", Contact: "it@acme.test", Labels: map[string]string{"a": "b"},
			Image: "wordpress", Plan: "medium", Domains: []string{"www.acme.test", "acme.test"},
		}, Once{}))
		w.tenant("globex")
		w.tenant("initech")
		w.done(w.service.Stop(t.Context(), "globex", 0, Once{}))
		w.done(w.service.Remove(t.Context(), "initech", false, Once{}))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade"}))
		before, err := w.store.Tenants(t.Context(), fleet.TenantFilter{})
		do(t, err)

		w.lose(t)
		want := map[string]RecoverOutcome{"acme": RecoverDone, "globex": RecoverDone, "initech": RecoverDone}
		if diff := cmp.Diff(want, outcomes(t, w, true)); diff != "" {
			t.Errorf("dry run:\n%s", diff)
		}
		if list, _ := w.service.Store.Tenants(t.Context(), fleet.TenantFilter{}); len(list) != 0 {
			t.Errorf("a dry run wrote %d tenants", len(list))
		}
		if diff := cmp.Diff(want, outcomes(t, w, false)); diff != "" {
			t.Errorf("first run:\n%s", diff)
		}
		after, err := w.service.Store.Tenants(t.Context(), fleet.TenantFilter{})
		do(t, err)
		for _, list := range [][]fleet.Tenant{before, after} {
			for i := range list {
				list[i].Revision, list[i].UpdatedAt = 0, time.Time{}
			}
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("recovered tenants differ:\n%s", diff)
		}
		for name := range want {
			want[name] = RecoverThere
		}
		if diff := cmp.Diff(want, outcomes(t, w, false)); diff != "" {
			t.Errorf("second run:\n%s", diff)
		}
	})
}

func TestRecoverReportsConflicts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.tenant("globex")
		acme, _ := w.lxd.Seen("acme")
		with := func(changes map[string]string) map[string]string {
			config := maps.Clone(acme.Config)
			maps.Copy(config, changes)
			return config
		}
		make := func(name string, changes map[string]string) {
			do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: name, Member: "n2", Config: with(changes)}))
		}
		make("aaa-copy", nil)
		make("half", map[string]string{fleet.KeyTenant: "t-half", fleet.KeyReady: ""})
		make("twin", map[string]string{fleet.KeyTenant: "t-twin"}) // acme's domain
		make("odd", map[string]string{fleet.KeyTenant: "t-odd", fleet.KeyDomains: "odd.test", fleet.KeySpec: "{"})
		make("state", map[string]string{fleet.KeyTenant: "t-state", fleet.KeyDomains: "s.test", fleet.KeyState: "flying"})
		make("Upper", map[string]string{fleet.KeyTenant: "t-upper", fleet.KeyDomains: "u.test"})
		want := map[string]RecoverOutcome{
			"aaa-copy": RecoverConflict, "acme": RecoverThere, "globex": RecoverThere, "half": RecoverConflict,
			"twin": RecoverConflict, "odd": RecoverConflict, "state": RecoverConflict, "Upper": RecoverConflict,
		}
		if diff := cmp.Diff(want, outcomes(t, w, false)); diff != "" {
			t.Errorf("beside a full store:\n%s", diff)
		}
		w.lose(t)
		want["acme"], want["globex"] = RecoverDone, RecoverDone
		dry := outcomes(t, w, true)
		if diff := cmp.Diff(dry, outcomes(t, w, false)); diff != "" {
			t.Errorf("a dry run tells something else:\n%s", diff)
		}
		// Of two that want one domain the first by id has it: acme's is a time, twin's starts with t.
		if diff := cmp.Diff(want, dry); diff != "" {
			t.Errorf("into an empty store:\n%s", diff)
		}
	})
}

func TestRecoverWithMemberAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tenant := w.tenant("acme")
		w.lose(t)
		w.lxd.SetOnline(tenant.Member, false)
		if got := outcomes(t, w, false); got["acme"] != RecoverConflict {
			t.Errorf("while the member is away: %v", got)
		}
		w.lxd.SetOnline(tenant.Member, true)
		if got := outcomes(t, w, false); got["acme"] != RecoverDone {
			t.Errorf("when it is back: %v", got)
		}
	})
}

// What keysOf writes, tenantOf reads.
func TestKeysHoldTheWholeTenant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringMatching(`[a-z]([a-z0-9-]{0,20}[a-z0-9])?`)
		name := label.Filter(func(s string) bool { return !ours(s) })
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC()
		want := fleet.Tenant{
			ID: label.Draw(t, "id"), Name: fleet.Name(name.Draw(t, "name")), Ready: true, Member: "n1",
			DisplayName: rapid.String().Draw(t, "display"), Contact: rapid.String().Draw(t, "contact"),
			Image:  fleet.ImageRef{Name: label.Draw(t, "image"), Version: "1." + label.Draw(t, "version")},
			Plan:   label.Draw(t, "plan"),
			Labels: rapid.MapOfN(label, rapid.String(), 1, 3).Draw(t, "labels"),
			Health: fleet.HealthCheck{
				Port: rapid.IntRange(1, 65535).Draw(t, "port"), Path: "/" + label.Draw(t, "path"),
				Timeout: time.Duration(rapid.IntRange(1, 3600).Draw(t, "timeout")) * time.Second,
			},
			Desired:   rapid.SampledFrom([]fleet.Desired{fleet.DesiredRunning, fleet.DesiredStopped, fleet.DesiredRemoved}).Draw(t, "desired"),
			CreatedAt: at, UpdatedAt: at,
		}
		for _, d := range rapid.SliceOfNDistinct(rapid.StringMatching(`(\*\.)?[a-z]{1,20}`), 0, 4, rapid.ID[string]).Draw(t, "domains") {
			domain := fleet.Domain(d + ".test")
			want.Domains = append(want.Domains, domain)
			want.SetDomain(domain, fleet.DomainSetting{
				Pending: rapid.Bool().Draw(t, "pending"), Redirect: rapid.SampledFrom([]int{0, 301, 308}).Draw(t, "redirect"),
			})
		}
		if rapid.Bool().Draw(t, "maintenance") {
			want.Maintenance = &fleet.Maintenance{Message: rapid.String().Draw(t, "message"), Since: at}
			want.Holds = []fleet.Hold{{Reason: label.Draw(t, "reason"), Since: at, Until: at}}
		}
		if rapid.Bool().Draw(t, "guard") {
			want.Guard = &fleet.GuardRules{
				RequestsPerSecond: rapid.Float64Range(0.001, 1e6).Draw(t, "rate"), Burst: rapid.IntRange(0, 1e6).Draw(t, "burst"),
				MaxBody: fleet.Size(rapid.Int64Min(0).Draw(t, "body")), HSTS: &fleet.HSTS{MaxAge: rapid.IntRange(0, 1e6).Draw(t, "hsts")},
			}
		}
		if want.Desired == fleet.DesiredRemoved {
			want.PurgeAt = &at
		}
		got, err := tenantOf(fleet.Instance{Name: want.Name.String(), Location: "n1", Config: keysOf(want)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
