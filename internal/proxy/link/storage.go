package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Storage is the certificate storage of the controller, seen from a proxy. It is a
// certmagic.Storage: see there for what its methods do.
//
// What was read is kept on disk. While the controller cannot be reached reads are answered from
// there; writes and locks fail, so that nothing is ordered that could not be kept.
type Storage struct {
	client *Client
	cache  *certmagic.FileStorage
	lease  time.Duration
	log    *slog.Logger

	mu   sync.Mutex
	held map[string]*heldLock
}

var _ certmagic.Storage = (*Storage)(nil)

// Storage gives the controller's certificate storage. What is read is kept in dir, in files of
// mode 0600.
func (c *Client) Storage(dir string, log *slog.Logger) *Storage {
	return &Storage{
		client: c, cache: &certmagic.FileStorage{Path: dir}, lease: 20 * time.Second, log: log, held: make(map[string]*heldLock),
	}
}

// String names the storage in logs.
func (s *Storage) String() string { return "controller " + s.client.Controller() }

// ask makes a request that may take no longer than limit, and gives the answer's body.
func (s *Storage) ask(ctx context.Context, limit time.Duration, method, path string, query url.Values, in []byte) ([]byte, error) {
	if err := s.client.rest.reason(); err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := s.client.caller().do(asking, method, path, query, bytes.NewReader(in))
	var data []byte
	if err == nil {
		defer res.Body.Close()
		if data, err = io.ReadAll(io.LimitReader(res.Body, mostBody)); err != nil {
			err = fleet.Errorf(fleet.Unavailable, "the controller's answer broke off: %w", err)
		}
	}
	if ctx.Err() == nil { // else it is the caller who had no time
		s.client.rest.outcome(err)
	}
	return data, err
}

// away reports whether err means that the controller has nothing to say about a key.
func away(err error) bool {
	return errors.Is(err, fleet.Unavailable) || errors.Is(err, fleet.Forbidden)
}

// Load reads the value at key.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.ask(ctx, callTime, http.MethodGet, pathValue, url.Values{"key": {key}}, nil)
	switch {
	case err == nil:
		s.keepCopy(ctx, key, value)
		return value, nil
	case errors.Is(err, fs.ErrNotExist):
		_ = s.cache.Delete(ctx, key) // one that is not there is as good
	case away(err) && ctx.Err() == nil:
		if kept, e := s.cache.Load(ctx, key); e == nil {
			return kept, nil
		}
	}
	return nil, err
}

// keepCopy writes what is not on disk yet.
func (s *Storage) keepCopy(ctx context.Context, key string, value []byte) {
	if old, err := s.cache.Load(ctx, key); err == nil && bytes.Equal(old, value) {
		return
	}
	if err := s.cache.Store(ctx, key, value); err != nil {
		s.log.Warn("a certificate is not kept on disk; it would be missing while the controller is away", "key", key, "error", err)
	}
}

// Store writes value at key.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	if _, err := s.ask(ctx, callTime, http.MethodPut, pathValue, url.Values{"key": {key}}, value); err != nil {
		return err
	}
	s.keepCopy(ctx, key, value)
	return nil
}

// Delete removes key and all below it.
func (s *Storage) Delete(ctx context.Context, key string) error {
	_, err := s.ask(ctx, callTime, http.MethodDelete, pathValue, url.Values{"key": {key}}, nil)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		_ = s.cache.Delete(ctx, key) // one that is not there is as good
	}
	return err
}

// Exists reports whether key is there, as a value or as a folder; false where nobody can tell.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// read asks for JSON.
func (s *Storage) read(ctx context.Context, path string, query url.Values, out any) error {
	data, err := s.ask(ctx, callTime, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fleet.Errorf(fleet.Unavailable, "the answer of the controller cannot be read: %w", err)
	}
	return nil
}

// List gives the keys below path: all of them, or the next level with its folders.
func (s *Storage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	var keys []string
	err := s.read(ctx, pathList, url.Values{"key": {path}, "recursive": {strconv.FormatBool(recursive)}}, &keys)
	if away(err) && ctx.Err() == nil {
		if kept, e := s.cache.List(ctx, path, recursive); e == nil {
			return kept, nil
		}
	}
	return keys, err
}

// Stat tells about a value, or a folder.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	var info keyInfo
	err := s.read(ctx, pathStat, url.Values{"key": {key}}, &info)
	if away(err) && ctx.Err() == nil {
		if kept, e := s.cache.Stat(ctx, key); e == nil {
			return kept, nil
		}
	}
	return certmagic.KeyInfo{Key: info.Key, Modified: info.Modified, Size: info.Size, IsTerminal: info.Terminal}, err
}

// heldLock is a lock this proxy holds.
type heldLock struct {
	owner string
	stop  context.CancelFunc
	ended chan struct{}
}

// Lock takes the named lock, waiting for it as long as ctx allows. One whose holder has not
// shown that it lives for 20 s is taken over.
func (s *Storage) Lock(ctx context.Context, name string) error {
	owner := fleet.NewID(time.Now())
	for {
		err := s.lockCall(ctx, pathLock, name, owner, lockRound+callTime)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			// The controller may have taken it in this very moment.
			_ = s.lockCall(context.WithoutCancel(ctx), pathUnlock, name, owner, time.Second)
			return fmt.Errorf("wait for lock %s: %w", name, ctx.Err())
		}
		if !errors.Is(err, fleet.Busy) {
			return err
		}
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &heldLock{owner: owner, stop: stop, ended: make(chan struct{})}
	s.mu.Lock()
	s.held[name] = l
	s.mu.Unlock()
	go s.keep(beating, name, l)
	return nil
}

func (s *Storage) lockCall(ctx context.Context, path, name, owner string, limit time.Duration) error {
	data, err := json.Marshal(lockRequest{Name: name, Owner: owner})
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	_, err = s.ask(ctx, limit, http.MethodPost, path, nil, data)
	return err
}

// keep shows that the proxy lives, until the lock is given back or turns out to be lost.
func (s *Storage) keep(ctx context.Context, name string, l *heldLock) {
	defer close(l.ended)
	tick := time.NewTicker(s.lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.lockCall(ctx, pathKeepLock, name, l.owner, s.lease/2)
		if errors.Is(err, fleet.Fenced) {
			s.log.Warn("a lock of the certificate storage was taken over", "lock", name)
			return
		}
	}
}

// Unlock gives the named lock back, also when ctx has ended.
func (s *Storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	l := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if l == nil {
		return fleet.Errorf(fleet.Conflict, "lock %s is not held", name).WithHint("this is a defect of lxdfleet; please report it")
	}
	l.stop()
	<-l.ended
	return s.lockCall(context.WithoutCancel(ctx), pathUnlock, name, l.owner, s.lease/2)
}
