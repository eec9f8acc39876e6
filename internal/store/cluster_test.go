package store

import (
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testCluster(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	same(t, "none", len(must(s.Clusters(ctx))(t)), 0)
	_, err := s.Cluster(ctx, "west")
	fails(t, err, fleet.NotFound, "", "west")

	west := fleet.Cluster{
		Name: "west", URL: "https://10.0.0.1:8443", ServerCert: "-----BEGIN CERTIFICATE-----\nMII\n", Project: "lxdfleet",
		Pool: "tank", AddedAt: at(1), KeyAt: at(1),
	}
	east := fleet.Cluster{Name: "east", URL: "https://10.0.0.2:8443", Project: "x", Network: "br0", AddedAt: at(2), KeyAt: at(2)}
	for _, c := range []fleet.Cluster{west, east} {
		if err := s.InsertCluster(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	fails(t, s.InsertCluster(ctx, fleet.Cluster{Name: "east"}), fleet.Taken, "name", "east")
	same(t, "all", must(s.Clusters(ctx))(t), []fleet.Cluster{east, west})

	west.KeyAt = at(5)
	for range 2 {
		if err := s.UpdateCluster(ctx, west); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "changed", must(s.Cluster(ctx, "west"))(t), west)
	for range 2 {
		if err := s.DeleteCluster(ctx, "west"); err != nil {
			t.Fatal(err)
		}
	}
	fails(t, s.UpdateCluster(ctx, west), fleet.NotFound, "", "west")
	same(t, "left", must(s.Clusters(ctx))(t), []fleet.Cluster{east})
}
