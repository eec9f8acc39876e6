package api

import "context"

// ListRoutes lists what the proxy does with each host.
func (s *Server) ListRoutes(ctx context.Context, _ ListRoutesRequestObject) (ListRoutesResponseObject, error) {
	routes, err := s.Routes(ctx)
	if err != nil {
		return nil, err
	}
	list := RouteList{Items: make([]Route, len(routes))}
	for i, r := range routes {
		list.Items[i] = Route{
			Domain: r.Domain.String(), Tenant: r.Tenant.String(), State: RouteState(r.State), Backend: r.Backend,
			Redirect: r.Redirect.String(), Code: r.Code,
		}
		if r.Maintenance != nil {
			list.Items[i].Message = r.Maintenance.Message
		}
	}
	return ListRoutes200JSONResponse(list), nil
}
