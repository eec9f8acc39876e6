package jobstest_test

import (
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestMemory(t *testing.T) {
	jobstest.TestStore(t, func(*testing.T) jobs.Store { return jobstest.NewMemory() })
}

// TestIntercept: without hooks it is the store behind it.
func TestIntercept(t *testing.T) {
	jobstest.TestStore(t, func(*testing.T) jobs.Store { return &jobstest.Intercept{Store: jobstest.NewMemory()} })
}

func TestSQLite(t *testing.T) {
	jobstest.TestStore(t, func(t *testing.T) jobs.Store {
		s, err := store.Open(t.Context(), "sqlite::memory:")
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	})
}
