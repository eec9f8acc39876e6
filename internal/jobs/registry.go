package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Registry holds the kinds an engine can run. A kind may be there in several versions: new
// jobs get the newest, jobs of an older one that still run are finished by theirs.
type Registry struct {
	mu    sync.RWMutex
	kinds map[string][]*kind // by name, oldest version first
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{kinds: map[string][]*kind{}} }

// KindInfo describes a registered kind.
type KindInfo struct {
	Name    string   `json:"name"`
	Version int      `json:"version"`
	Steps   []string `json:"steps"`
	Commit  string   `json:"commit,omitempty"` // the first step that is not undone; empty: none
}

// kind is a Kind[S] with its S hidden.
type kind struct {
	KindInfo
	commit int // index of the commit step; len(steps) where there is none
	steps  []step
	check  func(args json.RawMessage) error
	facts  func(state json.RawMessage) map[string]string // nil: there are none
}

type step struct {
	name string
	do   action
	undo action // nil: nothing to undo
}

// action runs one half of a step on a stored state and gives the state to store.
type action func(ctx context.Context, run *Run, state json.RawMessage) (json.RawMessage, error)

// Register checks a kind and makes it known. The error, of code fleet.Internal, says what is
// wrong with it: no name, no steps, a step without a Do, two steps of one name, a Commit that
// names no step, an Undo that can never run because its step is not undone, or a name and
// version that are already there.
func Register[S any](reg *Registry, k Kind[S]) error {
	if err := k.validate(); err != nil {
		return err
	}
	erased := &kind{
		KindInfo: KindInfo{Name: k.Name, Version: k.Version, Commit: k.Commit},
		commit:   k.commitIndex(),
		check:    func(args json.RawMessage) error { _, err := decode[S](args); return err },
	}
	if k.Facts != nil {
		erased.facts = func(state json.RawMessage) map[string]string {
			s, err := decode[S](state)
			if err != nil {
				return nil
			}
			return k.Facts(*s)
		}
	}
	for _, s := range k.Steps {
		erased.Steps = append(erased.Steps, s.Name)
		erased.steps = append(erased.steps, step{name: s.Name, do: erase(s.Do), undo: erase(s.Undo)})
	}
	return reg.add(erased)
}

func (k Kind[S]) commitIndex() int {
	if i := slices.IndexFunc(k.Steps, func(s Step[S]) bool { return s.Name == k.Commit }); i >= 0 {
		return i
	}
	return len(k.Steps)
}

func (k Kind[S]) validate() error {
	if k.Name == "" || strings.ContainsAny(k.Name, " \t\n/") {
		return fleet.Errorf(fleet.Internal, "%q is no name for a job kind", k.Name)
	}
	if len(k.Steps) == 0 {
		return fleet.Errorf(fleet.Internal, "job kind %s has no steps", k.Name)
	}
	commit := k.commitIndex()
	if k.Commit != "" && commit == len(k.Steps) {
		return fleet.Errorf(fleet.Internal, "job kind %s commits at %q, which is none of its steps", k.Name, k.Commit)
	}
	seen := map[string]bool{}
	for i, s := range k.Steps {
		switch {
		case s.Name == "":
			return fleet.Errorf(fleet.Internal, "step %d of job kind %s has no name", i+1, k.Name)
		case seen[s.Name]:
			return fleet.Errorf(fleet.Internal, "job kind %s has two steps named %q", k.Name, s.Name)
		case s.Do == nil:
			return fleet.Errorf(fleet.Internal, "step %q of job kind %s does nothing", s.Name, k.Name)
		case s.Undo != nil && i >= commit:
			return fleet.Errorf(fleet.Internal, "the undo of step %q of job kind %s can never run: it is past the commit point", s.Name, k.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

func (r *Registry) add(k *kind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	versions := r.kinds[k.Name]
	i, found := slices.BinarySearchFunc(versions, k.Version, func(have *kind, v int) int { return cmp.Compare(have.Version, v) })
	if found {
		return fleet.Errorf(fleet.Internal, "job kind %s version %d is registered twice", k.Name, k.Version)
	}
	r.kinds[k.Name] = slices.Insert(versions, i, k)
	return nil
}

// Kinds lists the newest version of each kind, by name.
func (r *Registry) Kinds() []KindInfo {
	r.mu.RLock()
	defer r.mu.RUnlock()
	infos := make([]KindInfo, 0, len(r.kinds))
	for _, versions := range r.kinds {
		info := versions[len(versions)-1].KindInfo
		info.Steps = slices.Clone(info.Steps)
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b KindInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// newest gives the version new jobs get; nil for an unknown kind.
func (r *Registry) newest(name string) *kind {
	r.mu.RLock()
	defer r.mu.RUnlock()
	versions := r.kinds[name]
	if len(versions) == 0 {
		return nil
	}
	return versions[len(versions)-1]
}

// exact gives the version a stored job was made for; nil when it is not here.
func (r *Registry) exact(name string, version int) *kind {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, k := range r.kinds[name] {
		if k.Version == version {
			return k
		}
	}
	return nil
}

// erase hides S behind JSON. The state is decoded anew for each call, so that what a failed
// call did to it is gone, exactly as after a crash.
func erase[S any](do func(context.Context, *Run, *S) error) action {
	if do == nil {
		return nil
	}
	return func(ctx context.Context, run *Run, state json.RawMessage) (json.RawMessage, error) {
		s, err := decode[S](state)
		if err != nil {
			return nil, fleet.Errorf(fleet.Internal, "the job's stored state cannot be read: %w", err)
		}
		if err := do(ctx, run, s); err != nil {
			return nil, err
		}
		next, err := json.Marshal(s)
		if err != nil {
			return nil, fleet.Errorf(fleet.Internal, "the job's state cannot be stored: %w", err)
		}
		return next, nil
	}
}

// decode reads a state. Unknown fields are ignored: an older daemon may finish the job of a
// newer one whose kind has the same version.
func decode[S any](state json.RawMessage) (*S, error) {
	s := new(S)
	if len(state) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(state, s); err != nil {
		return nil, err
	}
	return s, nil
}
