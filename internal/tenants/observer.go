package tenants

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ObserverOptions tune an Observer. The zero value is good for production.
type ObserverOptions struct {
	// Resync is the time between two full lists of instances. Default 30 s.
	Resync time.Duration
	// MembersEvery is the time between two reads of the members and plans. Default 15 s.
	MembersEvery time.Duration
	// DialEvery is the time between two connects to a tenant's backend. Default 500 ms; it
	// grows with the fleet, so that no more than 400 are made each second.
	DialEvery time.Duration
	// DialTimeout bounds each of those connects. Default 250 ms.
	DialTimeout time.Duration
	// HealthEvery is the time between two health checks of a running tenant. Default 15 s.
	HealthEvery time.Duration
	// Dial opens those connections. Default: net.Dialer.
	Dial Dial
	// Changed is told the name of a tenant, or of an instance that is none, whose observation
	// changed. It must return soon and must not call the Observer.
	Changed func(name string)
	// Logger gets what an operator may want to know. Default: nothing is logged.
	Logger *slog.Logger
}

func (o ObserverOptions) withDefaults() ObserverOptions {
	o.Resync = cmp.Or(o.Resync, 30*time.Second)
	o.MembersEvery = cmp.Or(o.MembersEvery, 15*time.Second)
	o.DialEvery = cmp.Or(o.DialEvery, 500*time.Millisecond)
	o.DialTimeout = cmp.Or(o.DialTimeout, 250*time.Millisecond)
	o.HealthEvery = cmp.Or(o.HealthEvery, 15*time.Second)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Observer keeps, in memory, what LXD last said of the project's instances, and follows what
// operators do with lxc. It reads everything at the start, after every reconnect of the event
// stream and on a timer; one instance on each event about it; addresses after a start and
// whenever a backend stops answering. While LXD is away it keeps what it last knew.
type Observer struct {
	lxd    LXD
	store  Store
	jobs   JobBook
	prober Prober
	opt    ObserverOptions
	log    *slog.Logger
	roster *roster
	survey *survey

	refreshes *queue // instances to read anew
	keys      *queue // instances whose keys are to be written
	lookups   *queue // instances whose addresses are to be read
	dials     *queue // tenants whose backend is to be connected to
	checks    *queue // tenants whose health is to be checked
	resync    chan struct{}

	mu       sync.Mutex
	seen     map[string]*sight          // by instance name
	owners   map[string]map[string]bool // tenant id: names of the instances that carry it
	inHand   map[string]int             // names a job step works on just now
	making   map[string]bool            // names a creation of this process works on
	problems map[string]string          // tenant id: what could not be followed
	syncedAt time.Time                  // start of the last full list; zero before the first

	news   atomic.Int64 // how often something was told to have changed
	ranks  sync.Mutex   // guards ranked
	ranked *ranking     // nil before somebody wants it
}

// sight is what is known of one instance.
type sight struct {
	inst    fleet.Instance
	readAt  time.Time // when the read that gave inst began
	backend fleet.Backend
	healthy *bool
	fails   int // failed health checks in a row
	misses  int // reads that gave no address, in a row
	// A backend that does not answer has its addresses read anew, not before suspectAt; the
	// pause grows while that changes nothing.
	suspectAt time.Time
	pause     time.Duration
}

// NewObserver makes an Observer; Run brings it to life.
func NewObserver(lxd LXD, store Store, jobBook JobBook, prober Prober, opt ObserverOptions) *Observer {
	opt = opt.withDefaults()
	o := &Observer{
		lxd: lxd, store: store, jobs: jobBook, prober: prober, opt: opt, log: opt.Logger,
		roster: newRoster(store), survey: newSurvey(lxd),
		refreshes: newQueue(), keys: newQueue(), lookups: newQueue(), dials: newQueue(), checks: newQueue(),
		resync: make(chan struct{}, 1),
		seen:   map[string]*sight{}, owners: map[string]map[string]bool{},
		inHand: map[string]int{}, making: map[string]bool{}, problems: map[string]string{},
	}
	tell := opt.Changed
	o.opt.Changed = func(name string) {
		o.news.Add(1)
		tell(name)
	}
	return o
}

// Run observes until ctx ends; it returns when all it started has ended.
func (o *Observer) Run(ctx context.Context) {
	events := o.lxd.Events(ctx) // before the first list: nothing falls between the two
	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { o.refreshes.run(ctx, 4, o.refresh) })
	loops.Go(func() { o.keys.run(ctx, 1, o.writeKeys) })
	loops.Go(func() { o.lookups.run(ctx, 4, o.lookup) })
	loops.Go(func() { o.dials.run(ctx, 64, o.dial) })
	loops.Go(func() { o.checks.run(ctx, 8, o.check) })
	loops.Go(func() { o.resyncLoop(ctx) })
	loops.Go(func() { o.membersLoop(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			o.hear(e)
		}
	}
}

// hear notes what an event makes worth reading.
func (o *Observer) hear(e fleet.LXDEvent) {
	now := time.Now()
	switch {
	case e.Action == fleet.EventsResumed:
		o.wantResync()
	case strings.HasPrefix(e.Action, "instance-") && e.Name != "":
		o.mu.Lock()
		if s := o.seen[e.Name]; s != nil && (e.Action == "instance-started" || e.Action == "instance-restarted") {
			o.lookups.add(e.Name, now) // its address may be another now
		}
		o.mu.Unlock()
		o.refreshes.add(e.Name, now)
		if e.OldName != "" {
			o.refreshes.add(e.OldName, now)
		}
	}
}

func (o *Observer) wantResync() {
	select {
	case o.resync <- struct{}{}:
	default:
	}
}

// Observation gives what is known of the tenant's instance. Its time is zero while nothing is.
func (o *Observer) Observation(t fleet.Tenant) fleet.Observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.observation(t)
}

func (o *Observer) observation(t fleet.Tenant) fleet.Observation {
	name, s := o.instanceOf(t)
	if name == "" {
		return fleet.Observation{At: o.syncedAt}
	}
	return fleet.Observation{
		Exists: true, Status: s.inst.Status, Location: s.inst.Location,
		Address: s.backend.Address, Via: s.backend.Via, Port: s.backend.Port, Healthy: s.healthy, At: s.readAt,
	}
}

// instanceOf gives the instance that carries the tenant's id: the one with its name where
// there are several, since lxc copy copies the keys too.
func (o *Observer) instanceOf(t fleet.Tenant) (string, *sight) {
	names := o.owners[t.ID]
	if s := o.seen[t.Name.String()]; names[t.Name.String()] || s != nil && unread(s.inst) {
		return t.Name.String(), s
	}
	first := ""
	for name := range names {
		if first == "" || name < first {
			first = name
		}
	}
	return first, o.seen[first]
}

// Problem says what of the tenant's instance could not be followed, for people; empty: nothing.
func (o *Observer) Problem(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.problems[id]
}

// Synced reports whether the instances have been listed at least once.
func (o *Observer) Synced() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.syncedAt.IsZero()
}

// Nudge says that the tenant's state in the store or its jobs changed.
func (o *Observer) Nudge(name fleet.Name) { o.opt.Changed(name.String()) }

// JobEvent tells the Observer what a job did; jobs.Options.OnEvent may call it. A job on a
// tenant that changes its state changes the tenant's route.
func (o *Observer) JobEvent(job fleet.Job, event fleet.JobEvent) {
	if name, ok := strings.CutPrefix(job.Subject, "tenant/"); ok && event.Type == fleet.EventState {
		o.opt.Changed(name)
	}
}

// hold says that a job step works on the instance: what LXD tells of it meanwhile is read
// once, after the step. It returns the release.
func (o *Observer) hold(name string) (release func()) {
	o.mu.Lock()
	o.inHand[name]++
	o.mu.Unlock()
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.inHand[name]--; o.inHand[name] <= 0 {
			delete(o.inHand, name)
		}
	}
}

func (o *Observer) held(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inHand[name] > 0 || o.making[name]
}

// setMaking says that the instance is being created by a job of this process, between its
// steps too: the job knows all there is to know of it.
func (o *Observer) setMaking(name string, making bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if making {
		o.making[name] = true
	} else {
		delete(o.making, name)
	}
}
