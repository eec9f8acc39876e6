package guard

// Reason is why something was refused: a label of metrics, so their number is bounded.
type Reason string

// The reasons.
const (
	ReasonConnections Reason = "connections"         // as many connections as there may be
	ReasonAddress     Reason = "address_connections" // as many of one address as there may be
	ReasonProxyHeader Reason = "proxy_header"        // no proper PROXY header
	ReasonShape       Reason = "shape"               // a request that could be read in two ways
	ReasonDenied      Reason = "denied"              // allow- and deny-lists
	ReasonTenantRate  Reason = "tenant_rate"
	ReasonAddressRate Reason = "address_rate"
	ReasonInflight    Reason = "in_flight" // as many requests at once as the tenant may have
	ReasonBodySize    Reason = "body_size"
	ReasonBodySlow    Reason = "body_slow"
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{
		ReasonConnections, ReasonAddress, ReasonProxyHeader, ReasonShape, ReasonDenied,
		ReasonTenantRate, ReasonAddressRate, ReasonInflight, ReasonBodySize, ReasonBodySlow,
	}
}

// Refusal says that a request is not to be forwarded.
type Refusal struct {
	Status int // to answer with
	Reason Reason
	Detail string // for the log
}
