package link

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lockRound is the longest a proxy is kept waiting for a lock before it has to ask again.
const lockRound = 20 * time.Second

// storageOf gives the storage and the key that a request names. Keys lead nowhere but into the
// storage, whatever a proxy asks for.
func (h *Hub) storageOf(key string) (certmagic.Storage, error) {
	if h.cfg.Storage == nil {
		return nil, fleet.Errorf(fleet.Unsupported, "this controller keeps no certificates").
			WithHint("set proxy.https on the controller, or tls.storage on the proxy")
	}
	if key != "" && (!fs.ValidPath(key) || key == ".") {
		return nil, fleet.Errorf(fleet.Invalid, "%q is not a key of the certificate storage", key).WithField("key")
	}
	return h.cfg.Storage, nil
}

// keyed is storageOf for requests that need a key.
func (h *Hub) keyed(r *http.Request) (certmagic.Storage, string, error) {
	key := r.URL.Query().Get("key")
	if key == "" {
		return nil, "", fleet.Errorf(fleet.Invalid, "there is no key").WithField("key")
	}
	s, err := h.storageOf(key)
	return s, key, err
}

// failed answers an error of the storage.
func failed(w http.ResponseWriter, err error) {
	if _, ok := errors.AsType[*fleet.Error](err); !ok && !errors.Is(err, fs.ErrNotExist) {
		err = fleet.Errorf(fleet.Unavailable, "the controller's certificate storage fails: %w", err)
	}
	answerError(w, err)
}

func (h *Hub) loadValue(w http.ResponseWriter, r *http.Request, _ fleet.Proxy) {
	s, key, err := h.keyed(r)
	var value []byte
	if err == nil {
		value, err = s.Load(r.Context(), key)
	}
	if err != nil {
		failed(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(value)
}

func (h *Hub) storeValue(w http.ResponseWriter, r *http.Request, _ fleet.Proxy) {
	s, key, err := h.keyed(r)
	if err != nil {
		failed(w, err)
		return
	}
	value, err := whole(w, r)
	if err != nil {
		failed(w, fleet.Errorf(fleet.Invalid, "read the value of %s: %w", key, err))
		return
	}
	if err := s.Store(r.Context(), key, value); err != nil {
		failed(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Hub) deleteValue(w http.ResponseWriter, r *http.Request, _ fleet.Proxy) {
	s, key, err := h.keyed(r)
	if err == nil {
		err = s.Delete(r.Context(), key)
	}
	if err != nil {
		failed(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// keyInfo is certmagic.KeyInfo on the wire.
type keyInfo struct {
	Key      string    `json:"key"`
	Modified time.Time `json:"modified"`
	Size     int64     `json:"size"`
	Terminal bool      `json:"terminal"`
}

func (h *Hub) statValue(w http.ResponseWriter, r *http.Request, _ fleet.Proxy) {
	s, key, err := h.keyed(r)
	var info certmagic.KeyInfo
	if err == nil {
		info, err = s.Stat(r.Context(), key)
	}
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, keyInfo{Key: info.Key, Modified: info.Modified, Size: info.Size, Terminal: info.IsTerminal})
}

func (h *Hub) listValues(w http.ResponseWriter, r *http.Request, _ fleet.Proxy) {
	path := r.URL.Query().Get("key")
	s, err := h.storageOf(path)
	var keys []string
	if err == nil {
		keys, err = s.List(r.Context(), path, r.URL.Query().Get("recursive") == "true")
	}
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, keys)
}

// lockRequest names a lock and who holds it or wants it.
type lockRequest struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

func (h *Hub) lockRequest(w http.ResponseWriter, r *http.Request) (req lockRequest, err error) {
	if err := body(w, r, &req); err != nil {
		return req, err
	}
	if _, err = h.storageOf(req.Name); err == nil && (req.Name == "" || req.Owner == "") {
		err = fleet.Errorf(fleet.Invalid, "a lock needs a name and an owner").WithField("name")
	}
	return req, err
}

func (h *Hub) takeLock(w http.ResponseWriter, r *http.Request, p fleet.Proxy) {
	req, err := h.lockRequest(w, r)
	if err != nil {
		failed(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lockRound)
	defer cancel()
	defer context.AfterFunc(h.base, cancel)()
	err = h.locks.lock(ctx, req.Name, p.ID+" "+req.Owner)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case ctx.Err() != nil:
		failed(w, fleet.Errorf(fleet.Busy, "lock %s is held by another", req.Name))
	default:
		failed(w, err)
	}
}

func (h *Hub) keepLock(w http.ResponseWriter, r *http.Request, p fleet.Proxy) {
	req, err := h.lockRequest(w, r)
	if err == nil && !h.locks.keep(req.Name, p.ID+" "+req.Owner) {
		err = fleet.Errorf(fleet.Fenced, "lock %s was taken over", req.Name)
	}
	if err != nil {
		failed(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Hub) giveLock(w http.ResponseWriter, r *http.Request, p fleet.Proxy) {
	req, err := h.lockRequest(w, r)
	if err != nil {
		failed(w, err)
		return
	}
	h.locks.give(req.Name, p.ID+" "+req.Owner)
	w.WriteHeader(http.StatusNoContent)
}
