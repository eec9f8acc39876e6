package lxdapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// What a cluster tells of its members: an evacuated one still answers, an offline one is not
// asked, and the load is told by those LXDs that know it.
func TestMembersOfACluster(t *testing.T) {
	member := func(name, status, message string) map[string]any {
		return map[string]any{
			"server_name": name, "status": status, "message": message, "url": "https://" + name + ":8443",
			"groups": []string{"fast", "default"}, "failure_domain": "rack1", "roles": []string{"database-leader", "database"},
		}
	}
	for _, tt := range []struct {
		name       string
		extensions []string
		load       *float64
	}{
		{"LXD 5.0", nil, nil},
		{"later", []string{"cluster_member_state"}, new(1.5)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStub(t, map[string][]answer{
				"GET /1.0": {good(map[string]any{
					"auth": "trusted", "api_extensions": tt.extensions, "environment": map[string]any{"server_clustered": true, "server_name": "n1"},
				})},
				"GET /1.0/cluster/members": {good([]any{
					member("n1", "Online", "Fully operational"), member("n2", "Evacuated", "Unavailable due to maintenance"), member("n3", "Offline", "No heartbeat for 1m"),
				})},
				"GET /1.0/cluster/members/n1/state":     {good(map[string]any{"sysinfo": map[string]any{"load_averages": []float64{1.5, 2, 3}}})},
				"GET /1.0/cluster/members/n2/state":     {bad(500, "it is being evacuated")},
				"GET /1.0/profiles/default":             {good(map[string]any{"devices": map[string]any{"root": map[string]string{"type": "disk", "path": "/", "pool": "tank"}}})},
				"GET /1.0/storage-pools/tank/resources": {good(map[string]any{"space": map[string]any{"used": 1, "total": 2}})},
				"GET /1.0/resources":                    {good(map[string]any{"cpu": map[string]any{"total": 8}, "memory": map[string]any{"used": 3, "total": 4}})},
			})
			want := fleet.Member{
				Name: "n1", Online: true, Status: fleet.MemberOnline, Message: "Fully operational", Address: "https://n1:8443",
				PoolUsed: 1, PoolTotal: 2, CPUs: 8, MemoryUsed: 3, MemoryTotal: 4, Load: tt.load,
				Groups: []string{"default", "fast"}, FailureDomain: "rack1", Scheduler: "all", Roles: []string{"database", "database-leader"},
			}
			evacuated := want
			evacuated.Name, evacuated.Online, evacuated.Status, evacuated.Load = "n2", false, fleet.MemberEvacuated, nil
			evacuated.Message, evacuated.Address = "Unavailable due to maintenance", "https://n2:8443"
			offline := fleet.Member{
				Name: "n3", Status: fleet.MemberOffline, Message: "No heartbeat for 1m", Address: "https://n3:8443",
				Groups: want.Groups, Scheduler: "all", FailureDomain: want.FailureDomain, Roles: want.Roles,
			}
			got, err := s.client.Members(t.Context())
			if diff := cmp.Diff([]fleet.Member{want, evacuated, offline}, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
