package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Config is everything that can be set. The commented example (Example) says what each
// setting does.
type Config struct {
	// DataDir holds the database (unless Store.DSN says otherwise), the internal certificate
	// authority, certificates and uploads. Absolute.
	DataDir   string    `yaml:"data_dir"`
	Socket    Socket    `yaml:"socket"`
	API       API       `yaml:"api"`
	LXD       LXD       `yaml:"lxd"`
	Store     Store     `yaml:"store"`
	Proxy     Proxy     `yaml:"proxy"`
	Metrics   Metrics   `yaml:"metrics"`
	Proxies   Proxies   `yaml:"proxies"`
	TLS       TLS       `yaml:"tls"`
	DNS       DNS       `yaml:"dns"`
	S3        S3        `yaml:"s3"`
	Tenants   Tenants   `yaml:"tenants"`
	Network   Network   `yaml:"network"`
	Placement Placement `yaml:"placement"`
	Domains   Domains   `yaml:"domains"`
	Snapshots Snapshots `yaml:"snapshots"`
	Backups   Backups   `yaml:"backups"`
	Jobs      Jobs      `yaml:"jobs"`
	Images    Images    `yaml:"images"`
	Log       Log       `yaml:"log"`
}

// Socket is the unix socket that the API is served on. Whoever can open it may do everything.
type Socket struct {
	Path  string `yaml:"path"`  // absolute
	Group string `yaml:"group"` // name of the group that may open it; empty: the daemon's own group
}

// API is how the API and the dashboard are reached over HTTPS. Whoever comes there logs in, or has
// a token.
type API struct {
	Listen  string `yaml:"listen"`  // address:port, or "off"
	Address string `yaml:"address"` // https://host:port people reach it at; use Config.APIAddress
	Cert    string `yaml:"cert"`    // PEM file; empty: the internal authority signs one
	Key     string `yaml:"key"`     // PEM file, with Cert
	// RateLimit is how many requests a minute one user, token or address may make; 0: any number.
	RateLimit int  `yaml:"rate_limit"`
	OIDC      OIDC `yaml:"oidc"`
}

// OIDC is an OpenID Connect provider where people log in.
type OIDC struct {
	Issuer           string        `yaml:"issuer"`             // its address; empty: there is none
	Name             string        `yaml:"name"`               // for people; empty: its host
	ClientID         string        `yaml:"client_id"`          // what it knows lxdfleet by
	ClientSecretFile string        `yaml:"client_secret_file"` // empty: the client has none
	CAFile           string        `yaml:"ca_file"`            // PEM file of what its certificate comes from; empty: the system's
	Scopes           []string      `yaml:"scopes"`             // what is asked for
	Create           bool          `yaml:"create"`             // users are made at their first login
	LinkEmail        bool          `yaml:"link_email"`         // a user without an identity is found by the verified address
	Domains          []string      `yaml:"domains"`            // of the addresses that are let in; empty: all
	RoleClaim        string        `yaml:"role_claim"`         // name of the claim that roles follow from; empty: they are set here
	Roles            []string      `yaml:"roles"`              // ROLE=VALUE of the claim; use RoleOf
	DefaultRole      string        `yaml:"default_role"`       // where no value gives one; empty: nobody is let in so
	TenantsClaim     string        `yaml:"tenants_claim"`      // name of the claim with a client's tenants; empty: they are set here
	SessionFor       time.Duration `yaml:"session_for"`        // longest a login lasts
}

// RoleOf gives the role for each value of the claim.
func (o OIDC) RoleOf() map[string]fleet.Role {
	roles := map[string]fleet.Role{}
	for _, pair := range o.Roles {
		role, value, _ := strings.Cut(pair, "=")
		roles[value] = fleet.Role(role)
	}
	return roles
}

// LXD says how to reach LXD, and what of it to use.
type LXD struct {
	Socket     string `yaml:"socket"`      // unix socket; empty: the place where LXD is found
	URL        string `yaml:"url"`         // https://host:8443, instead of the socket
	ClientCert string `yaml:"client_cert"` // PEM files, with URL
	ClientKey  string `yaml:"client_key"`
	ServerCert string `yaml:"server_cert"` // PEM file to trust; empty: the system's authorities
	Project    string `yaml:"project"`     // LXD project that holds everything of lxdfleet
	Pool       string `yaml:"pool"`        // storage pool; empty: the one LXD offers that suits best
	Network    string `yaml:"network"`     // network of the tenants; empty: the default profile's
}

// Store is where tenants, images and jobs are recorded.
type Store struct {
	// DSN is sqlite:///absolute/file or mysql://user:password@tcp(host:port)/database. Use
	// Config.DSN, which fills in the default.
	DSN string `yaml:"dsn"`
}

// Proxy is the reverse proxy in front of the tenants.
type Proxy struct {
	HTTP         string        `yaml:"http"`          // address:port that redirects to HTTPS; empty: none
	HTTPS        string        `yaml:"https"`         // address:port; empty: no proxy at all
	HTTP3        bool          `yaml:"http3"`         // on the UDP port of the same number
	HoldTimeout  time.Duration `yaml:"hold_timeout"`  // longest a request waits for its tenant
	HoldWaiters  int           `yaml:"hold_waiters"`  // most requests that wait, per tenant
	RetryTimeout time.Duration `yaml:"retry_timeout"` // how long a backend that refuses a connection is tried
	DrainTimeout time.Duration `yaml:"drain_timeout"` // how long a process that was replaced finishes requests
	AccessLog    string        `yaml:"access_log"`    // "off", "stdout" or a file's absolute path
	AccessSample float64       `yaml:"access_sample"` // part of the requests in it, 0 to 1; errors always are
	PagesFrom    string        `yaml:"pages_from"`    // name on the proxy's own pages; empty: none
	PagesContact string        `yaml:"pages_contact"` // line of text on them: whom to ask

	TrustedProxies           []string      `yaml:"trusted_proxies"`             // networks whose forwarding headers are believed
	ProxyProtocol            []string      `yaml:"proxy_protocol"`              // networks whose connections begin with a PROXY header
	MaxConnections           int           `yaml:"max_connections"`             // open at once; 0: any number
	MaxConnectionsPerAddress int           `yaml:"max_connections_per_address"` // likewise, of one client
	RatePerAddress           int           `yaml:"rate_per_address"`            // requests per second; 0: any number
	Deny                     []string      `yaml:"deny"`                        // networks that no tenant lets in
	MaxHeader                fleet.Size    `yaml:"max_header"`                  // of a request
	MaxBody                  fleet.Size    `yaml:"max_body"`                    // of a request; 0: any
	HeaderTimeout            time.Duration `yaml:"header_timeout"`              // for the TLS handshake and a request's header
	BodyRate                 fleet.Size    `yaml:"body_rate"`                   // least of a request's body in a second; 0: any
	BodyTimeout              time.Duration `yaml:"body_timeout"`                // longest a client may send nothing of a body
	WriteTimeout             time.Duration `yaml:"write_timeout"`               // longest a client may take in nothing of an answer
	IdleTimeout              time.Duration `yaml:"idle_timeout"`                // between two requests
}

// Metrics are what Prometheus reads.
type Metrics struct {
	Listen string `yaml:"listen"` // address:port of GET /metrics, or "off"
}

// Proxies are those on hosts of their own, which this daemon tells where to lead requests.
type Proxies struct {
	Listen  string `yaml:"listen"`  // address:port they connect to; empty: there are none
	Address string `yaml:"address"` // https://host:port they reach it at; empty: this machine's name and the port of Listen
}

// TLS says where the tenants' certificates come from and where they are kept.
type TLS struct {
	Email           string   `yaml:"email"`             // of the account with the authorities; empty: the internal authority signs all
	Authorities     []string `yaml:"authorities"`       // ACME directories, asked in this order
	AuthorityCA     string   `yaml:"authority_ca"`      // PEM file of what the authorities' own certificates come from; empty: the system's
	EABKeyID        string   `yaml:"eab_key_id"`        // external account binding, with the first authority
	EABKeyFile      string   `yaml:"eab_key_file"`      // file with its HMAC key
	Everything      bool     `yaml:"everything"`        // ask the authorities also for names without public DNS
	OrdersPerHour   int      `yaml:"orders_per_hour"`   // of all tenants
	OrdersPerTenant int      `yaml:"orders_per_tenant"` // in an hour
	Storage         string   `yaml:"storage"`           // files, database, s3
}

// DNS says how TXT records are written, which wildcard certificates need.
type DNS struct {
	Provider     string   `yaml:"provider"`      // rfc2136, cloudflare; empty: none
	Server       string   `yaml:"server"`        // rfc2136: address:port
	KeyName      string   `yaml:"key_name"`      // rfc2136: of the TSIG key
	KeyAlgorithm string   `yaml:"key_algorithm"` // rfc2136
	KeyFile      string   `yaml:"key_file"`      // file with the TSIG key, or the API token
	Zones        []string `yaml:"zones"`         // domains below which records may be written
	Wildcards    []string `yaml:"wildcards"`     // domains whose hosts share one certificate
}

// S3 is a bucket of an S3 server.
type S3 struct {
	Endpoint      string `yaml:"endpoint"`
	Region        string `yaml:"region"`
	Bucket        string `yaml:"bucket"`
	Prefix        string `yaml:"prefix"`
	AccessKey     string `yaml:"access_key"`      // empty: from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
	SecretKeyFile string `yaml:"secret_key_file"` // file with the secret key
	PathStyle     bool   `yaml:"path_style"`
	CAFile        string `yaml:"ca_file"` // PEM file of what the server's certificate comes from; empty: the system's
}

// Tenants are the rules for tenants.
type Tenants struct {
	BaseDomain     string        `yaml:"base_domain"` // a tenant created without a domain gets NAME.BASE
	TrashFor       time.Duration `yaml:"trash_for"`   // how long a deleted tenant is kept
	StopTimeout    time.Duration `yaml:"stop_timeout"`
	DefaultPlan    string        `yaml:"default_plan"`
	HealthInterval time.Duration `yaml:"health_interval"`
}

// Network says how the proxy reaches the tenants' instances.
type Network struct {
	Reach  string `yaml:"reach"`  // auto, direct, device, forward
	Ports  string `yaml:"ports"`  // FIRST-LAST: of the members, for device and forward
	Listen string `yaml:"listen"` // IP address that devices listen on, at every member; empty: each member's own
	// Subnets are where the instances' own addresses are; empty: where LXD says that their network is.
	Subnets []string `yaml:"subnets"`
}

// PortRange gives the first and last of Ports.
func (n Network) PortRange() (first, last int, err error) {
	from, to, ok := strings.Cut(n.Ports, "-")
	if first, err = strconv.Atoi(from); err == nil && ok {
		last, err = strconv.Atoi(to)
	}
	if err != nil || !ok || first < 1 || last > 65535 || first > last {
		return 0, 0, fmt.Errorf("%q is not a range of ports", n.Ports)
	}
	return first, last, nil
}

// Placement are the rules for which member a tenant lives on.
type Placement struct {
	Strategy            string        `yaml:"strategy"`               // spread, pack
	OvercommitCPU       float64       `yaml:"overcommit_cpu"`         // times what a member has may be promised by plans; 0: any
	OvercommitMemory    float64       `yaml:"overcommit_memory"`      // likewise
	OvercommitDisk      float64       `yaml:"overcommit_disk"`        // likewise
	PoolHeadRoom        fleet.Size    `yaml:"pool_head_room"`         // left free in each member's pool
	PoolHeadRoomPercent int           `yaml:"pool_head_room_percent"` // likewise, where that is more
	MemoryHeadRoom      fleet.Size    `yaml:"memory_head_room"`       // left free on each member
	SpareMembers        int           `yaml:"spare_members"`          // that may fail with room for their tenants on the others
	TargetPromised      int           `yaml:"target_promised"`        // percent, of a rebalance; 0: none
	TargetUsed          int           `yaml:"target_used"`            // likewise
	RestAfterMove       time.Duration `yaml:"rest_after_move"`        // how long a rebalance leaves a moved tenant alone
}

// Domains are the rules for tenants' domains.
type Domains struct {
	Verify   string `yaml:"verify"`   // which have to be proven by a TXT record: auto, always, never
	Target   string `yaml:"target"`   // host name or address that domains are to lead to; empty: not known
	Resolver string `yaml:"resolver"` // DNS server, address or address:port; empty: the system's
}

// Snapshots are the rules for snapshots.
type Snapshots struct {
	PerMember  int           `yaml:"per_member"`  // most that policies take at once on one member
	HoldLimit  time.Duration `yaml:"hold_limit"`  // longest an application is held still
	KeepSafety time.Duration `yaml:"keep_safety"` // how long those are kept that restores take before
}

// Backups say where backups are kept, and how they get there.
type Backups struct {
	// Location is file:///absolute/folder or s3://bucket/prefix (with the server and keys of
	// S3). Use Config.BackupLocation, which fills in the default.
	Location     string        `yaml:"location"`
	KeyFile      string        `yaml:"key_file"`      // use Config.BackupKeyFile
	UploadLimit  fleet.Size    `yaml:"upload_limit"`  // bytes in a second; 0: any
	Parallel     int           `yaml:"parallel"`      // uploads of one backup at once
	PerMember    int           `yaml:"per_member"`    // most backups, and drills, of policies at once on one member
	LockFor      time.Duration `yaml:"lock_for"`      // object lock of what is written to S3; 0: none
	ControlEvery time.Duration `yaml:"control_every"` // between two backups of the control plane at least; 0: none by itself
	PruneEvery   time.Duration `yaml:"prune_every"`   // between two prunes of the repository
	VerifyEvery  time.Duration `yaml:"verify_every"`  // between two deep verifications of all backups; 0: none by itself
	KeepOld      time.Duration `yaml:"keep_old"`      // an instance replaced by a restore, without room for a snapshot of it; 0: not at all
}

// Jobs are the rules for jobs.
type Jobs struct {
	Workers int           `yaml:"workers"`  // jobs that run at the same time
	KeepFor time.Duration `yaml:"keep_for"` // how long finished jobs are kept
}

// Images are the rules for golden images.
type Images struct {
	UnpackAhead       bool       `yaml:"unpack_ahead"`
	DebootstrapMirror string     `yaml:"debootstrap_mirror"`
	Sources           []string   `yaml:"sources"`      // hosts that recipes may have things fetched from
	Folders           []string   `yaml:"folders"`      // of tarballs that recipes may start from; use Config.ImageFolders
	UploadLimit       fleet.Size `yaml:"upload_limit"` // largest image that may be imported
}

// Log is the daemon's own log, written to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Default gives the settings of a daemon without a configuration file.
func Default() Config {
	return Config{
		DataDir: "/var/lib/lxdfleet",
		Socket:  Socket{Path: "/run/lxdfleet/lxdfleet.sock"},
		API: API{
			Listen: "127.0.0.1:8446", RateLimit: 6000,
			OIDC: OIDC{Scopes: []string{"openid", "profile", "email"}, SessionFor: 12 * time.Hour},
		},
		LXD: LXD{Project: "lxdfleet"},
		Proxy: Proxy{
			HTTP: ":80", HTTPS: ":443",
			HoldTimeout: 30 * time.Second, HoldWaiters: 1000, RetryTimeout: 10 * time.Second,
			HTTP3: true, DrainTimeout: 5 * time.Minute,
			AccessLog: "off", AccessSample: 1,
			MaxHeader: 64 * fleet.KiB, HeaderTimeout: 10 * time.Second, BodyRate: 240, BodyTimeout: time.Minute,
			WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		},
		Metrics: Metrics{Listen: "127.0.0.1:8445"},
		TLS: TLS{
			Authorities:   []string{"https://acme-v02.api.letsencrypt.org/directory"},
			OrdersPerHour: 50, OrdersPerTenant: 10, Storage: "files",
		},
		DNS: DNS{KeyAlgorithm: "hmac-sha256"},
		S3:  S3{PathStyle: true},
		Tenants: Tenants{
			TrashFor: 72 * time.Hour, StopTimeout: 30 * time.Second,
			DefaultPlan: "small", HealthInterval: 10 * time.Second,
		},
		Network: Network{Reach: "auto", Ports: "20000-29999"},
		Placement: Placement{
			Strategy: "spread", OvercommitMemory: 4, PoolHeadRoom: fleet.GiB, PoolHeadRoomPercent: 5,
			TargetPromised: 90, TargetUsed: 80, RestAfterMove: time.Hour,
		},
		Domains:   Domains{Verify: "auto"},
		Snapshots: Snapshots{PerMember: 2, HoldLimit: 5 * time.Second, KeepSafety: 7 * 24 * time.Hour},
		Backups: Backups{
			Parallel: 4, PerMember: 1, ControlEvery: 5 * time.Minute,
			PruneEvery: 6 * time.Hour, VerifyEvery: 7 * 24 * time.Hour, KeepOld: 24 * time.Hour,
		},
		Jobs: Jobs{Workers: 32, KeepFor: 30 * 24 * time.Hour},
		Images: Images{
			UnpackAhead: true, UploadLimit: 64 * fleet.GiB,
			Sources: []string{"*.debian.org", "images.lxd.canonical.com", "images.linuxcontainers.org", "cloud-images.ubuntu.com"},
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

// DSN gives the store's DSN: the one that is set, or SQLite in the data directory.
func (c Config) DSN() string {
	if c.Store.DSN != "" {
		return c.Store.DSN
	}
	return "sqlite://" + filepath.Join(c.DataDir, "lxdfleet.db")
}

// APIAddress is the https://host:port people reach the API at: the one that is set, or what
// follows from where it listens; empty: nowhere.
func (c Config) APIAddress() string {
	if c.API.Listen == "off" || c.API.Address != "" {
		return c.API.Address
	}
	host, port, err := net.SplitHostPort(c.API.Listen)
	if err != nil {
		return ""
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified():
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	case ip != nil && ip.IsLoopback():
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, port)
}

// UploadDir is where the API puts uploaded images until a job has taken them in.
func (c Config) UploadDir() string { return filepath.Join(c.DataDir, "uploads") }

// ImageFolders are those whose tarballs recipes may start from: the ones that are set, or one in the
// data directory.
func (c Config) ImageFolders() []string {
	if len(c.Images.Folders) > 0 {
		return c.Images.Folders
	}
	return []string{filepath.Join(c.DataDir, "bases")}
}

// BackupLocation is where backups are kept: the location that is set, or a folder in the data
// directory.
func (c Config) BackupLocation() string {
	if c.Backups.Location != "" {
		return c.Backups.Location
	}
	return "file://" + filepath.Join(c.DataDir, "backups")
}

// BackupKeyFile is the file with the recovery key of the backups.
func (c Config) BackupKeyFile() string {
	if c.Backups.KeyFile != "" {
		return c.Backups.KeyFile
	}
	return filepath.Join(c.DataDir, "backups.key")
}

// BackupCache is where what was read of the backups is kept for a while.
func (c Config) BackupCache() string { return filepath.Join(c.DataDir, "backups.cache") }
