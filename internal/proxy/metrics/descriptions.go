package metrics

import "github.com/prometheus/client_golang/prometheus"

// descriptions are the names of all metrics, with their labels and what they say.
type descriptions struct {
	requests, duration, firstByte, in, out, held, heldFor, retries, waiting, inflight *prometheus.Desc
	refused, handshakes, connections, upgraded, generation, hosts                     *prometheus.Desc
	certificates, expiry, logDropped                                                  *prometheus.Desc
}

func describe() descriptions {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lxdfleet_proxy_"+name, help, labels, nil)
	}
	return descriptions{
		requests:     desc("requests_total", "Requests answered, by status code. 499: the client left before an answer.", "tenant", "class", "code"),
		duration:     desc("request_duration_seconds", "From a request's header to the end of its answer, holding and retries included. Upgraded connections are not counted.", "tenant"),
		firstByte:    desc("first_byte_seconds", "From a request's header to the beginning of its answer.", "tenant"),
		in:           desc("received_bytes_total", "Bytes of requests' bodies, and from clients over upgraded connections.", "tenant"),
		out:          desc("sent_bytes_total", "Bytes of answers' bodies, and to clients over upgraded connections.", "tenant"),
		held:         desc("held_requests_total", "Requests that had to wait for their tenant, and are over.", "tenant"),
		heldFor:      desc("held_seconds_total", "How long requests had to wait for their tenant, added up.", "tenant"),
		retries:      desc("retries_total", "Attempts at a backend after a request's first.", "tenant"),
		waiting:      desc("held_requests", "Requests that wait for their tenant now.", "tenant"),
		inflight:     desc("inflight_requests", "Requests that are at the backend now.", "tenant"),
		refused:      desc("refused_total", "Connections and requests refused, by reason.", "reason"),
		handshakes:   desc("tls_handshakes_failed_total", "Connections that ended before TLS was agreed on."),
		connections:  desc("connections", "Open connections, without upgraded ones."),
		upgraded:     desc("upgraded_connections", "Connections and streams taken over by an upgrade (WebSocket) that are open."),
		generation:   desc("routes_generation", "Generation of the route table in use."),
		hosts:        desc("routes", "Hosts in the route table in use."),
		certificates: desc("certificates", "Hosts whose certificate's end is known."),
		expiry:       desc("certificate_expiry_timestamp_seconds", "When the certificate for the host ends. At most 10,000 hosts, those that end soonest.", "host"),
		logDropped:   desc("access_log_dropped_total", "Records of the access log that were lost because it could not be written fast enough."),
	}
}

func (d descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{
		d.requests, d.duration, d.firstByte, d.in, d.out, d.held, d.heldFor, d.retries, d.waiting, d.inflight,
		d.refused, d.handshakes, d.connections, d.upgraded, d.generation, d.hosts, d.certificates, d.expiry, d.logDropped,
	}
}
