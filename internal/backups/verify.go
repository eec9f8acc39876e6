package backups

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// verifyState is the state of backup.verify.
type verifyState struct {
	IDs  []string `json:"ids"`
	Deep bool     `json:"deep,omitempty"`
	// Found is what is wrong, by backup; empty where nothing is.
	Found map[string]string `json:"found,omitempty"`
	At    time.Time         `json:"at,omitzero"`
}

// verify reads backups and records what is wrong with them.
func (c *crew) verify() jobs.Kind[verifyState] {
	return jobs.Kind[verifyState]{
		Name:    KindVerify,
		Version: 1,
		Steps: []jobs.Step[verifyState]{
			{Name: "read", Do: c.readAll},
			{Name: "record", Do: c.recordFound},
		},
		Commit: "record",
	}
}

func (c *crew) readAll(ctx context.Context, run *jobs.Run, s *verifyState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	s.Found, s.At = map[string]string{}, c.Now()
	there := map[string]bool{}
	list, err := repo.List(ctx, KindTenant)
	if err != nil {
		return err
	}
	for _, e := range list {
		there[e.ID] = true
	}
	var ids []string
	for _, id := range s.IDs {
		if there[id] {
			ids = append(ids, id)
			s.Found[id] = ""
		} else {
			s.Found[id] = "it is not in the repository any more"
		}
	}
	if len(ids) == 0 {
		return nil
	}
	wrong, err := repo.Verify(ctx, ids, s.Deep, run.Progress)
	if err != nil {
		return fmt.Errorf("verify %d backups: %w", len(ids), err)
	}
	for id, what := range wrong {
		s.Found[id] = summary(what)
	}
	return nil
}

// mostDamage is how many pieces of damage are told of one backup.
const mostDamage = 5

func summary(wrong []string) string {
	if more := len(wrong) - mostDamage; more > 0 {
		wrong = append(append([]string{}, wrong[:mostDamage]...), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(wrong, "; ")
}

func (c *crew) recordFound(ctx context.Context, run *jobs.Run, s *verifyState) error {
	bad := 0
	for _, id := range s.IDs {
		damage, read := s.Found[id]
		if !read {
			continue
		}
		fresh := false
		b, err := c.Store.EditBackup(ctx, id, func(b *fleet.Backup) {
			fresh = damage != "" && b.Damage != damage
			b.Damage = damage
			if damage == "" && s.Deep {
				b.VerifiedAt = &s.At
			}
		})
		if fleet.CodeOf(err) == fleet.NotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return fmt.Errorf("record what was found of backup %s: %w", short(id), err)
		}
		if damage == "" {
			continue
		}
		bad++
		say(run, "Backup %s of %s is damaged: %s", short(id), b.Tenant, damage)
		if fresh {
			c.Log.Error("a backup is damaged", "backup", id, "tenant", b.Tenant, "damage", damage)
			c.tell("backup.damaged", ofEntry(id), b)
		}
	}
	say(run, "%d backups verified, %d damaged", len(s.IDs), bad)
	return nil
}
