package api

import (
	"context"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListProxies lists the proxies on hosts of their own.
func (s *Server) ListProxies(context.Context, ListProxiesRequestObject) (ListProxiesResponseObject, error) {
	all := s.Proxies.Proxies()
	list := ProxyList{Items: make([]Proxy, len(all))}
	for i, p := range all {
		list.Items[i] = proxyOut(p)
	}
	return ListProxies200JSONResponse(list), nil
}

// GetProxy gives one of them.
func (s *Server) GetProxy(_ context.Context, r GetProxyRequestObject) (GetProxyResponseObject, error) {
	p, err := s.proxy(r.Name)
	return GetProxy200JSONResponse(p), err
}

func (s *Server) proxy(name string) (Proxy, error) {
	all := s.Proxies.Proxies()
	i := slices.IndexFunc(all, func(p fleet.ProxyStatus) bool { return p.Name == name })
	if i < 0 {
		return Proxy{}, fleet.Errorf(fleet.NotFound, "there is no proxy %s", name).WithField("name").WithHint("lxdfleet proxy list shows them")
	}
	return proxyOut(all[i]), nil
}

func proxyOut(p fleet.ProxyStatus) Proxy {
	out := Proxy{
		Name: p.Name, Connected: p.Connected, Since: p.Since, Address: p.Address, Version: p.Version,
		JoinedAt: p.JoinedAt, SeenAt: p.SeenAt, Generation: p.Generation, Newest: p.Newest,
	}
	if p.Lag > 0 {
		out.Lag = p.Lag.Round(time.Millisecond).String()
	}
	return out
}

// RemoveProxy takes a proxy out of the fleet.
func (s *Server) RemoveProxy(ctx context.Context, r RemoveProxyRequestObject) (RemoveProxyResponseObject, error) {
	name, err := fleet.ParseProxyName(r.Name)
	if err != nil {
		return nil, err
	}
	if err := s.Proxies.Remove(ctx, name); err != nil {
		return nil, err
	}
	return RemoveProxy204Response{}, nil
}

// defaultTTL is how long a token is good where nobody says.
const defaultTTL = time.Hour

// CreateProxyToken makes a token for a proxy.
func (s *Server) CreateProxyToken(ctx context.Context, r CreateProxyTokenRequestObject) (CreateProxyTokenResponseObject, error) {
	ttl, err := parseTimeout("ttl", r.Body.Ttl)
	if err != nil {
		return nil, err
	}
	if ttl == 0 {
		ttl = defaultTTL
	}
	t, err := s.Proxies.Token(ctx, r.Body.Name, ttl)
	if err != nil {
		return nil, err
	}
	return CreateProxyToken201JSONResponse(ProxyToken{Token: t.Token, Controller: t.Controller, ExpiresAt: t.ExpiresAt}), nil
}
