package backups

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// State is whether backups can be made.
type State string

const (
	StateReady       State = "ready"
	StateAbsent      State = "absent"      // there is no repository, or no key file
	StateLocked      State = "locked"      // the key does not open the repository
	StateUnreachable State = "unreachable" // the repository does not answer
)

// Status tells about the repository and what is in it.
type Status struct {
	Location string
	Away     bool // backups leave this machine
	State    State
	Problem  string // why it is not ready
	Hint     string
	KeyFile  string
	KeyID    string
	// KeyRecorded: somebody has said that there is a copy of the key elsewhere.
	KeyRecorded bool
	Backups     int
	Damaged     int
	Size        fleet.Size // of all that is backed up
	Stored      fleet.Size // what the repository takes; 0 where it is not ready
	LastBackup  *time.Time
	LastControl *time.Time
	LastDrill   *fleet.Drill
}

// recordedFact names the key of which there is a copy.
const recordedFact = "key-recorded"

// reachTime is how long a status waits for the repository.
const reachTime = 15 * time.Second

// Status tells about the repository. A repository that cannot be opened is no error.
func (s *Service) Status(ctx context.Context) (Status, error) {
	st := Status{Location: s.Vault.Location(), Away: s.Vault.Away(), State: StateReady, KeyFile: s.Vault.opt.KeyFile}
	all, err := s.Store.Backups(ctx, fleet.BackupFilter{})
	if err != nil {
		return st, err
	}
	for i, b := range all {
		st.Backups++
		st.Size += b.Size
		if b.Damage != "" {
			st.Damaged++
		}
		if i == 0 {
			st.LastBackup = &all[0].TakenAt
		}
	}
	if _, at, err := s.saved(ctx); err != nil {
		return st, err
	} else if !at.IsZero() {
		st.LastControl = &at
	}
	drills, err := s.Store.Drills(ctx, fleet.DrillFilter{Limit: 1})
	if err != nil {
		return st, err
	}
	if len(drills) > 0 {
		st.LastDrill = &drills[0]
	}
	s.reach(ctx, &st)
	st.KeyID = s.Vault.KeyID()
	recorded, err := s.Store.BackupFact(ctx, recordedFact)
	st.KeyRecorded = st.KeyID != "" && recorded == st.KeyID
	return st, err
}

// reach opens the repository and says what keeps it from being ready.
func (s *Service) reach(ctx context.Context, st *Status) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	repo, err := s.Vault.Open(ctx)
	if err == nil {
		st.Stored, err = repo.Size(ctx)
	}
	if err == nil {
		return
	}
	st.Problem = err.Error()
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		st.Problem, st.Hint = e.Message, e.Hint
	}
	switch fleet.CodeOf(err) {
	case fleet.NotFound:
		st.State = StateAbsent
	case fleet.Forbidden, fleet.Invalid:
		st.State = StateLocked
	default:
		st.State = StateUnreachable
	}
}

// Key is a recovery key, shown once.
type Key struct {
	Recovery string
	File     string // where the daemon keeps it
	ID       string
}

// Init makes the repository and its recovery key. fleet.Taken where there is a repository.
func (s *Service) Init(ctx context.Context) (Key, error) {
	key, err := s.Vault.Init(ctx)
	if err != nil {
		return Key{}, err
	}
	return Key{Recovery: key, File: s.Vault.opt.KeyFile, ID: keyID(key)}, nil
}

// Rotate gives the repository a new recovery key, without writing anew what is in it. The key of
// before opens it no more; nobody has a copy of the new one yet.
func (s *Service) Rotate(ctx context.Context) (Key, error) {
	key, err := s.Vault.Rotate(ctx)
	if err != nil {
		return Key{}, err
	}
	s.tell("backup.key", "backups/key", keyID(key))
	return Key{Recovery: key, File: s.Vault.opt.KeyFile, ID: keyID(key)}, nil
}

// Recorded notes that there is a copy of the recovery key elsewhere, which typed proves: the key
// itself, as it was copied. fleet.Invalid where it is not the key.
func (s *Service) Recorded(ctx context.Context, typed string) error {
	same, err := s.Vault.holds(typed)
	if err != nil {
		return err
	}
	if !same {
		return fleet.Errorf(fleet.Invalid, "this is not the recovery key of the backups").WithField("key").
			WithHint("type the key of %s, as `lxdfleet backup init` printed it", s.Vault.opt.KeyFile)
	}
	return s.Store.SetBackupFact(ctx, recordedFact, s.Vault.KeyID())
}

// Files lists a folder of a backup.
func (s *Service) Files(ctx context.Context, id, path string) ([]fleet.FileInfo, error) {
	b, repo, err := s.reading(ctx, id)
	if err != nil {
		return nil, err
	}
	return repo.Files(ctx, b.ID, path)
}

// ReadFile opens a file of a backup.
func (s *Service) ReadFile(ctx context.Context, id, path string) (io.ReadCloser, fleet.FileInfo, error) {
	b, repo, err := s.reading(ctx, id)
	if err != nil {
		return nil, fleet.FileInfo{}, err
	}
	return repo.File(ctx, b.ID, path)
}

func (s *Service) reading(ctx context.Context, id string) (fleet.Backup, Repository, error) {
	b, err := s.Backup(ctx, id)
	if err != nil {
		return fleet.Backup{}, nil, err
	}
	repo, err := s.Vault.Open(ctx)
	return b, repo, err
}
