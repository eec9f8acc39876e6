// Command site is a web application for the tiny image: it does what the proxy has to pass on,
// and answers with what came.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("/www"))) // ranges, too
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/sum", sum)
	mux.HandleFunc("/events", events)
	mux.HandleFunc("/bytes", zeros)
	mux.HandleFunc("/header", header)
	srv := &http.Server{Addr: ":80", Handler: mux, ReadHeaderTimeout: time.Minute}
	log.Fatal(srv.ListenAndServe())
}

// echo is a WebSocket that sends back what comes.
func echo(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// sum answers with the length and SHA-256 of the body, the sum also as a trailer.
func sum(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := hex.EncodeToString(h.Sum(nil))
	w.Header().Set("Trailer", "X-Sum")
	fmt.Fprintf(w, "%d %s\n", n, text)
	w.Header().Set("X-Sum", text)
}

// events sends n events, one each 100 ms.
func events(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range n {
		if i > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush() // an error is a client that has left
	}
}

// zeros answers with n bytes.
func zeros(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.ParseInt(r.FormValue("n"), 10, 64)
	if r.FormValue("length") != "" {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	piece := make([]byte, 64<<10)
	for n > 0 {
		k, err := w.Write(piece[:min(n, int64(len(piece)))])
		if err != nil {
			return
		}
		n -= int64(k)
	}
}

// header answers with the request's header.
func header(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Host", r.Host)
	_ = json.NewEncoder(w).Encode(r.Header) // an error is a client that has left
}
