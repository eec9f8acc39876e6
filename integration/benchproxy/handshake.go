package main

import "time"

// handshakes makes a new connection for each request.
type handshakes struct {
	load *load
	next int
	buf  [8 << 10]byte
}

func (w *handshakes) run(n int, times []time.Duration) ([]time.Duration, error) {
	for range n {
		host := w.load.hosts[w.next%len(w.load.hosts)]
		w.next++
		began := time.Now()
		conn, err := w.load.dial(host, "http/1.1")
		if err != nil {
			return times, err
		}
		err = ask(conn, requestFor(host, false), w.buf[:])
		conn.Close()
		if err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}

// close has nothing to do: connections break off by themselves.
func (w *handshakes) close() {}
