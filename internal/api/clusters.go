package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/clusters"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListClusters lists the other clusters.
func (s *Server) ListClusters(ctx context.Context, _ ListClustersRequestObject) (ListClustersResponseObject, error) {
	views, err := s.Clusters.List(ctx)
	if err != nil {
		return nil, err
	}
	list := ClusterList{Items: make([]Cluster, len(views))}
	for i, v := range views {
		list.Items[i] = clusterOut(v)
	}
	return ListClusters200JSONResponse(list), nil
}

// GetCluster gives one of them.
func (s *Server) GetCluster(ctx context.Context, r GetClusterRequestObject) (GetClusterResponseObject, error) {
	v, err := s.Clusters.Get(ctx, fleet.Name(r.Cluster))
	if err != nil {
		return nil, err
	}
	return GetCluster200JSONResponse(clusterOut(v)), nil
}

// AddCluster adds one.
func (s *Server) AddCluster(ctx context.Context, r AddClusterRequestObject) (AddClusterResponseObject, error) {
	v, err := s.Clusters.Add(ctx, clusters.AddRequest{
		Name: r.Body.Name, URL: r.Body.Url, Token: r.Body.Token, Password: r.Body.Password, Fingerprint: r.Body.Fingerprint,
		Project: r.Body.Project, Pool: r.Body.Pool, Network: r.Body.Network,
	})
	if err != nil {
		return nil, err
	}
	return AddCluster201JSONResponse(clusterOut(v)), nil
}

// RotateCluster exchanges the certificate shown to one.
func (s *Server) RotateCluster(ctx context.Context, r RotateClusterRequestObject) (RotateClusterResponseObject, error) {
	v, err := s.Clusters.Rotate(ctx, fleet.Name(r.Cluster))
	if err != nil {
		return nil, err
	}
	return RotateCluster200JSONResponse(clusterOut(v)), nil
}

// RemoveCluster forgets one.
func (s *Server) RemoveCluster(ctx context.Context, r RemoveClusterRequestObject) (RemoveClusterResponseObject, error) {
	if err := s.Clusters.Remove(ctx, fleet.Name(r.Cluster), r.Params.Force); err != nil {
		return nil, err
	}
	return RemoveCluster204Response{}, nil
}

func clusterOut(v clusters.View) Cluster {
	out := Cluster{
		Name: v.Name.String(), Url: v.URL, Project: v.Project, Pool: v.Pool, Network: v.Network, Fingerprint: v.Fingerprint,
		Usable: v.Problem == "", Problem: v.Problem, Version: v.Version, Members: make([]ClusterMember, len(v.Members)),
		AddedAt: v.AddedAt, KeyAt: v.KeyAt, Prepared: v.Prepared,
	}
	for i, m := range v.Members {
		out.Members[i] = ClusterMember{
			Name: m.Name, Online: m.Online, Message: m.Message, PoolTotal: int64(m.PoolTotal), PoolUsed: int64(m.PoolUsed),
			MemoryTotal: int64(m.MemoryTotal), MemoryUsed: int64(m.MemoryUsed), Cpus: m.CPUs,
		}
	}
	return out
}
