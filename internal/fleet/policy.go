package fleet

import "time"

// Policy says when tenants are snapshotted, backed up and drilled, and what of it is kept. A
// tenant has one at most.
type Policy struct {
	Name        string `json:"name"` // the rule of a tenant's name
	Description string `json:"description,omitempty"`
	// TimeZone is an IANA name its cron expressions are read in, where the tenant has none of
	// its own; empty: the daemon's.
	TimeZone  string    `json:"time_zone,omitempty"`
	Snapshots *Schedule `json:"snapshots,omitempty"`
	Backups   *Schedule `json:"backups,omitempty"`
	Drills    *Schedule `json:"drills,omitempty"` // Keep is of the drills' results
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Revision  int64     `json:"revision"`
}

// Schedule is when something is done, and how many of it are kept.
type Schedule struct {
	// Cron is a standard expression of five fields, or @hourly, @daily and the like.
	Cron string `json:"cron"`
	Keep Keep   `json:"keep"`
}

// Keep says which of the ones taken by policy are kept: the newest of each of the last so many
// hours, days, weeks, months and years in which there was any, and the last ones. What no rule
// keeps goes, but for pinned ones and those younger than MinAge. The zero Keep keeps all.
type Keep struct {
	Last    int           `json:"last,omitempty"`
	Hourly  int           `json:"hourly,omitempty"`
	Daily   int           `json:"daily,omitempty"`
	Weekly  int           `json:"weekly,omitempty"` // ISO 8601 weeks
	Monthly int           `json:"monthly,omitempty"`
	Yearly  int           `json:"yearly,omitempty"`
	MinAge  time.Duration `json:"min_age_ns,omitempty"`
}

// What a policy has a schedule of.
const (
	ScheduleSnapshots = "snapshots"
	ScheduleBackups   = "backups"
	ScheduleDrills    = "drills"
)

// ScheduleMark is how far a tenant's schedule was followed.
type ScheduleMark struct {
	Rule string    // the expression and zone that were followed
	Last time.Time // the last run, or the first look
}
