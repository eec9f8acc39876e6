package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// database gives the address of a new, empty database.
type database func(tb testing.TB) string

// conformance is what every database must do; it is run on SQLite and on MySQL.
func conformance(t *testing.T, db database) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, db database)
	}{
		{"tenant", testTenant},
		{"tenant insert repeated", testTenantInsertRepeated},
		{"tenant name and domain taken", testTenantTaken},
		{"tenant concurrent same name", testTenantConcurrentName},
		{"tenant concurrent same domain", testTenantConcurrentDomain},
		{"tenant update", testTenantUpdate},
		{"tenant update moves name and domains", testTenantUpdateIndexes},
		{"tenant concurrent updates", testTenantConcurrentUpdates},
		{"tenant delete", testTenantDelete},
		{"tenant texts", testTenantTexts},
		{"tenant too long", testTenantTooLong},
		{"tenant filter", testTenantFilter},
		{"tenant pages", testTenantPages},
		{"tenant ten thousand", testTenantTenThousand},
		{"domain taken over", testTakeDomain},
		{"domain taken over concurrently", testTakeDomainConcurrent},
		{"domain checks", testDomainChecks},
		{"clusters", testCluster},
		{"upgrade from the first schema", testUpgrade},
		{"generation", testGeneration},
		{"generation concurrent", testGenerationConcurrent},
		{"image", testImage},
		{"image current", testImageCurrent},
		{"image unpacked", testImageUnpacked},
		{"image concurrent current", testImageConcurrentCurrent},
		{"recipe", testRecipe},
		{"job", testJob},
		{"job subject busy", testJobBusy},
		{"job concurrent same subject", testJobConcurrentSubject},
		{"job idempotency key", testJobKey},
		{"job concurrent same key", testJobConcurrentKey},
		{"job list", testJobList},
		{"job cancel", testJobCancel},
		{"job retry", testJobRetry},
		{"job delete", testJobDelete},
		{"claim order and conditions", testClaim},
		{"claim concurrent", testClaimConcurrent},
		{"release an owner", testReleaseOwner},
		{"claim after lease ended", testClaimLeaseEnded},
		{"lease", testLease},
		{"lease fenced", testFenced},
		{"release", testRelease},
		{"state", testState},
		{"events", testEvents},
		{"events concurrent", testEventsConcurrent},
		{"events large", testEventsLarge},
		{"ended context", testEndedContext},
		{"closed", testClosed},
		{"open concurrent", testOpenConcurrent},
		{"open processes", testOpenProcesses},
		{"open newer schema", testOpenNewer},
		{"open again keeps rows", testOpenAgain},
		{"seen by a second store", testTwoStores},
		{"certificate storage", testCertStorage},
		{"proxy", testProxy},
		{"proxy concurrent", testProxyConcurrent},
		{"member", testMember},
		{"member concurrent", testMemberConcurrent},
		{"backup", testBackup},
		{"backup edited concurrently", testBackupConcurrent},
		{"drill", testDrill},
		{"facts about backups", testBackupFacts},
		{"snapshot", testSnapshot},
		{"snapshot concurrent edits", testSnapshotConcurrent},
		{"policy", testPolicy},
		{"policy concurrent", testPolicyConcurrent},
		{"schedule marks", testScheduleMarks},
		{"user", testUser},
		{"user link", testUserLink},
		{"tenant link", testTenantLink},
		{"answer", testAnswer},
		{"session", testSession},
		{"token", testToken},
		{"audit", testAudit},
		{"webhook", testWebhook},
		{"delivery", testDelivery},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, db) })
	}
}

func open(tb testing.TB, db database) *Store {
	tb.Helper()
	return openAt(tb, db(tb))
}

func openAt(tb testing.TB, dsn string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), dsn)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// at is a time n seconds into the tests' day, as the store gives it back.
func at(n int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Second)
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// must gives v when err is nil: v := must(s.Job(ctx, id))(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		ok(tb, err)
		return v
	}
}

// fails checks that err is a fleet error of the code and field, whose text has the words and
// that says what to do.
func fails(tb testing.TB, err error, code fleet.Code, field string, words ...string) {
	tb.Helper()
	e, is := errors.AsType[*fleet.Error](err)
	if !is || e.Code != code || e.Field != field {
		tb.Fatalf("error %v (%T): want code %q, field %q", err, err, code, field)
	}
	if e.Hint == "" && code != fleet.Fenced {
		tb.Errorf("error %v has no hint", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			tb.Errorf("error %q does not say %q", err, w)
		}
	}
}

func same(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if d := cmp.Diff(want, got); d != "" {
		tb.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func names(tenants []fleet.Tenant) string {
	var b strings.Builder
	for _, t := range tenants {
		fmt.Fprintf(&b, "%s ", t.Name)
	}
	return strings.TrimSpace(b.String())
}
