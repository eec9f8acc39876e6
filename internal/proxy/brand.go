package proxy

// Brand is who the proxy's own pages are from. Visitors of the tenants see it; by default they
// see nobody, because they are the clients' visitors, not the agency's.
type Brand struct {
	Name    string // such as the agency's
	Contact string // a line of text: whom to ask
}
