package config

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestExampleIsDefault(t *testing.T) {
	got, err := Parse("example.yaml", []byte(Example()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
}

func TestExampleMentionsEverySetting(t *testing.T) {
	var c Config
	where, err := decode("example.yaml", []byte(Example()), &c)
	if err != nil {
		t.Fatal(err)
	}
	walk(reflect.ValueOf(c), "", func(path string, _ reflect.Value) {
		if where.at[path] == nil {
			t.Errorf("%s is not in the example", path)
		}
	})
}

func TestYAMLReadsBack(t *testing.T) {
	c := Default()
	c.LXD.Pool, c.Proxy.HoldTimeout, c.Images.UploadLimit = "fast \"pool\": #1", 1500*time.Millisecond, 3*fleet.MiB
	c.Proxy.AccessLog, c.Proxy.AccessSample, c.Metrics.Listen = "/var/log/access.log", 0.125, "[::1]:9000"
	provided(func(o *OIDC) { o.Create, o.Roles = true, []string{"admin=a b", "viewer=c"} })(&c)
	c.Tenants.TrashFor, c.Tenants.StopTimeout = 90*time.Minute, 61*time.Second
	c.DNS.Zones, c.TLS.Authorities = []string{"a.example", "b-c.example"}, nil
	got, err := Parse("x", []byte(c.YAML()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, c.YAML())
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Error(diff)
	}
}

func TestYAMLHidesThePassword(t *testing.T) {
	for _, dsn := range []string{
		"mysql://fleet:hunter2@tcp(127.0.0.1:3306)/lxdfleet", "mysql://fleet:hunter2@x@tcp(db:3306)/lxdfleet",
	} {
		c := Default()
		c.Store.DSN = dsn
		if out := c.YAML(); strings.Contains(out, "hunter2") || !strings.Contains(out, "mysql://fleet:xxxxx@tcp(") {
			t.Error(out)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"unknown key with a near one", "proxy:\n  htps: \":443\"\n", "proxy.htps: f.yaml:2:3: there is no such setting (did you mean proxy.https?)"},
		{"unknown section with a near one", "tenant:\n  trash_for: 1h\n", "tenant: f.yaml:1:1: there is no such setting (did you mean tenants?)"},
		{"key of another section", "trash_for: 1h\n", "trash_for: f.yaml:1:1: there is no such setting (did you mean tenants.trash_for?)"},
		{"unknown key with none near", "log:\n  level: info\n  zzzzzzzzzz: 1\n", "log.zzzzzzzzzz: f.yaml:3:3: there is no such setting (the settings here are level, format)"},
		{"not a duration", "tenants: {trash_for: 3}\n", `tenants.trash_for: f.yaml:1:22: "3" is not a duration (write a number and a unit, such as 30s, 5m or 72h)`},
		{"not a size", "images:\n  upload_limit: many\n", `images.upload_limit: f.yaml:2:17: "many" is not a size (write a whole number and a unit, such as 512MiB or 10GiB)`},
		{"not a number", "jobs:\n  workers: 1.5\n", `jobs.workers: f.yaml:2:12: "1.5" is not a whole number (write digits only)`},
		{"not a share", "proxy:\n  access_sample: half\n", `proxy.access_sample: f.yaml:2:18: "half" is not a number (write it as 0.5)`},
		{"access log switched on the old way", "proxy:\n  access_log: true\n", `proxy.access_log: f.yaml:2:3: "true" is not where an access log can be written (write off, stdout or a path such as /var/log/lxdfleet/access.log)`},
		{"not a bool", "images:\n  unpack_ahead: \"yes\"\n", `images.unpack_ahead: f.yaml:2:17: "yes" is not true or false (write true or false, without quotes)`},
		{"value for a list", "dns:\n  zones: a.example\n", `dns.zones: f.yaml:2:10: a list is wanted, not "a.example" (write [one, another])`},
		{"list in a list", "dns:\n  zones: [[a]]\n", "dns.zones: f.yaml:2:11: one value is wanted, not a list"},
		{"list for a value", "data_dir: [a, b]\n", "data_dir: f.yaml:1:11: one value is wanted, not a list"},
		{"value for a section", "log: debug\n", `log: f.yaml:1:6: settings are wanted here, not "debug" (the settings here are level, format)`},
		{"list at the top", "- a\n", "f.yaml:1:1: settings are wanted here, not a list"},
		{"two documents", "data_dir: /a\n---\ndata_dir: /b\n", "a second YAML document"},
		{"tab", "log:\n\tlevel: info\n", "f.yaml:2:"},
		{"given twice", "data_dir: /a\ndata_dir: /b\n", "f.yaml:2:1: "},
		{"rule broken", "socket:\n  path: run/x\n", `socket.path: f.yaml:2:3: "run/x" is not an absolute path (give a path that starts with /)`},
		{"rule broken by the default", "proxy:\n  http: \":443\"\n", "proxy.https: f.yaml: proxy.http has the same address (give them different ports)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(tt.yaml))
			if fleet.CodeOf(err) != fleet.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// provided has good settings of an OpenID provider, and one change of them.
func provided(change func(*OIDC)) func(*Config) {
	return func(c *Config) {
		o := &c.API.OIDC
		o.Issuer, o.ClientID, o.ClientSecretFile, o.CAFile = "https://id.example.org/realm", "lxdfleet", "/etc/secret", "/etc/ca.pem"
		o.Domains, o.RoleClaim, o.Roles, o.DefaultRole = []string{"agency.example"}, "groups", []string{"admin=a=b", "viewer=staff"}, "client"
		change(o)
	}
}

func TestOIDC(t *testing.T) {
	for _, issuer := range []string{"https://id.example.org/realm", "https://id.example.org:8443", "http://localhost:5556/dex", "http://127.0.0.1:1"} {
		c := Default()
		provided(func(o *OIDC) { o.Issuer = issuer })(&c)
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if roles := c.API.OIDC.RoleOf(); len(roles) != 2 || roles["a=b"] != fleet.RoleAdmin {
			t.Error(roles)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		field  string
		change func(*Config)
	}{
		{"api.oidc.issuer", provided(func(o *OIDC) { o.Issuer = "http://id.example.org" })},
		{"api.oidc.issuer", provided(func(o *OIDC) { o.Issuer = "id.example.org" })},
		{"api.oidc.issuer", provided(func(o *OIDC) { o.Issuer = "https://id.example.org?x=y" })},
		{"api.oidc.issuer", func(c *Config) { c.API.OIDC.ClientID = "x" }},
		{"api.oidc.issuer", func(c *Config) { provided(func(*OIDC) {})(c); c.API.Listen = "off" }},
		{"api.oidc.client_id", provided(func(o *OIDC) { o.ClientID = "" })},
		{"api.oidc.name", provided(func(o *OIDC) { o.Name = "two\nlines" })},
		{"api.oidc.client_secret_file", provided(func(o *OIDC) { o.ClientSecretFile = "secret" })},
		{"api.oidc.ca_file", provided(func(o *OIDC) { o.CAFile = "ca.pem" })},
		{"api.oidc.scopes", provided(func(o *OIDC) { o.Scopes = []string{"open id"} })},
		{"api.oidc.domains", provided(func(o *OIDC) { o.Domains = []string{"@agency.example"} })},
		{"api.oidc.roles", provided(func(o *OIDC) { o.Roles = []string{"god=x"} })},
		{"api.oidc.roles", provided(func(o *OIDC) { o.Roles = []string{"admin"} })},
		{"api.oidc.roles", provided(func(o *OIDC) { o.Roles = []string{"admin=x", "viewer=x"} })},
		{"api.oidc.roles", provided(func(o *OIDC) { o.Roles = nil; o.DefaultRole = "" })},
		{"api.oidc.role_claim", provided(func(o *OIDC) { o.RoleClaim = "" })},
		{"api.oidc.default_role", provided(func(o *OIDC) { o.DefaultRole = "god" })},
		{"api.oidc.default_role", provided(func(o *OIDC) { o.RoleClaim, o.Roles, o.DefaultRole, o.Create = "", nil, "", true })},
		{"api.oidc.session_for", provided(func(o *OIDC) { o.SessionFor = time.Second })},
		{"data_dir", func(c *Config) { c.DataDir = "" }},
		{"socket.path", func(c *Config) { c.Socket.Path = "/" + strings.Repeat("x", 108) }},
		{"lxd.project", func(c *Config) { c.LXD.Project = "a b" }},
		{"lxd.socket", func(c *Config) { c.LXD.Socket = "unix.socket" }},
		{"lxd.url", func(c *Config) { c.LXD.URL = "http://10.0.0.1" }},
		{"lxd.url", func(c *Config) { c.LXD.URL, c.LXD.Socket = "https://10.0.0.1:8443", "/x" }},
		{"lxd.client_cert", func(c *Config) { c.LXD.URL = "https://10.0.0.1:8443" }},
		{"lxd.client_key", func(c *Config) { c.LXD.URL, c.LXD.ClientCert = "https://10.0.0.1:8443", "/c" }},
		{"lxd.server_cert", func(c *Config) { c.LXD.ServerCert = "/c" }},
		{"store.dsn", func(c *Config) { c.Store.DSN = "postgres://x" }},
		{"proxy.http", func(c *Config) { c.Proxy.HTTP = "80" }},
		{"proxy.https", func(c *Config) { c.Proxy.HTTPS = ":99999" }},
		{"proxies.listen", func(c *Config) { c.Proxies.Listen = "8444" }},
		{"proxies.listen", func(c *Config) { c.Proxies.Listen = "ctl.example:8444" }},
		{"proxies.address", func(c *Config) { c.Proxies.Address = "ctl.example:8444" }},
		{"proxies.address", func(c *Config) { c.Proxies.Address = "https://ctl.example" }},
		{"proxy.https", func(c *Config) { c.Proxy.HTTPS = "www.example:443" }},
		{"proxy.hold_timeout", func(c *Config) { c.Proxy.HoldTimeout = -1 }},
		{"proxy.trusted_proxies", func(c *Config) { c.Proxy.TrustedProxies = []string{"10.0.0.0/8", "10.0.0.1/8"} }},
		{"proxy.proxy_protocol", func(c *Config) { c.Proxy.ProxyProtocol = []string{"balancer"} }},
		{"proxy.deny", func(c *Config) { c.Proxy.Deny = []string{""} }},
		{"proxy.max_connections", func(c *Config) { c.Proxy.MaxConnections = -1 }},
		{"proxy.max_connections_per_address", func(c *Config) { c.Proxy.MaxConnectionsPerAddress = -1 }},
		{"proxy.rate_per_address", func(c *Config) { c.Proxy.RatePerAddress = 2000000 }},
		{"proxy.max_header", func(c *Config) { c.Proxy.MaxHeader = 0 }},
		{"proxy.body_rate", func(c *Config) { c.Proxy.BodyRate = fleet.GiB }},
		{"proxy.header_timeout", func(c *Config) { c.Proxy.HeaderTimeout = 0 }},
		{"proxy.body_timeout", func(c *Config) { c.Proxy.BodyTimeout = 0 }},
		{"proxy.write_timeout", func(c *Config) { c.Proxy.WriteTimeout = 0 }},
		{"proxy.idle_timeout", func(c *Config) { c.Proxy.IdleTimeout = -1 }},
		{"proxy.hold_waiters", func(c *Config) { c.Proxy.HoldWaiters = -1 }},
		{"proxy.access_log", func(c *Config) { c.Proxy.AccessLog = "true" }},
		{"proxy.access_log", func(c *Config) { c.Proxy.AccessLog = "" }},
		{"proxy.access_sample", func(c *Config) { c.Proxy.AccessSample = 1.1 }},
		{"proxy.access_sample", func(c *Config) { c.Proxy.AccessSample = math.NaN() }},
		{"proxy.pages_from", func(c *Config) { c.Proxy.PagesFrom = "two\nlines" }},
		{"proxy.pages_contact", func(c *Config) { c.Proxy.PagesContact = strings.Repeat("x", 201) }},
		{"metrics.listen", func(c *Config) { c.Metrics.Listen = "metrics.example:9100" }},
		{"metrics.listen", func(c *Config) { c.Metrics.Listen = "" }},
		{"tls.email", func(c *Config) { c.TLS.Email = "Ops <ops@agency.example>" }},
		{"tls.authorities", func(c *Config) { c.TLS.Email, c.TLS.Authorities = "ops@agency.example", nil }},
		{"tls.authorities", func(c *Config) { c.TLS.Authorities = []string{"http://ca.example"} }},
		{"tls.eab_key_file", func(c *Config) { c.TLS.EABKeyID = "kid" }},
		{"tls.eab_key_file", func(c *Config) { c.TLS.EABKeyID, c.TLS.EABKeyFile = "kid", "key" }},
		{"tls.authority_ca", func(c *Config) { c.TLS.AuthorityCA = "ca.pem" }},
		{"tls.orders_per_hour", func(c *Config) { c.TLS.OrdersPerHour = 0 }},
		{"tls.orders_per_tenant", func(c *Config) { c.TLS.OrdersPerTenant = -1 }},
		{"tls.storage", func(c *Config) { c.TLS.Storage = "redis" }},
		{"s3.endpoint", func(c *Config) { c.TLS.Storage = "s3" }},
		{"s3.endpoint", func(c *Config) { c.S3.Endpoint = "s3.example" }},
		{"s3.bucket", func(c *Config) { c.S3.Endpoint, c.TLS.Storage = "https://s3.example", "s3" }},
		{"s3.secret_key_file", func(c *Config) { c.S3.Endpoint, c.S3.Bucket, c.S3.AccessKey = "https://s3.example", "b", "a" }},
		{"s3.ca_file", func(c *Config) { c.S3.Endpoint, c.S3.Bucket, c.S3.CAFile = "https://s3.example", "b", "ca.pem" }},
		{"dns.provider", func(c *Config) { c.DNS.Provider = "bind" }},
		{"dns.provider", func(c *Config) { c.DNS.Zones, c.DNS.Wildcards = []string{"a.example"}, []string{"b.a.example"} }},
		{"dns.server", func(c *Config) { c.DNS.Provider = "rfc2136" }},
		{"dns.zones", func(c *Config) { c.DNS.Provider, c.DNS.Server = "rfc2136", "192.0.2.53:53" }},
		{"dns.zones", func(c *Config) { c.DNS.Zones = []string{"Agency.example"} }},
		{"dns.wildcards", func(c *Config) { c.DNS.Zones, c.DNS.Wildcards = []string{"a.example"}, []string{"ba.example"} }},
		{"dns.key_file", func(c *Config) {
			c.DNS = DNS{Provider: "rfc2136", Server: "192.0.2.53:53", Zones: []string{"a.example"}, KeyName: "k"}
		}},
		{"dns.key_file", func(c *Config) { c.DNS = DNS{Provider: "cloudflare", Zones: []string{"a.example"}} }},
		{"domains.verify", func(c *Config) { c.Domains.Verify = "sometimes" }},
		{"domains.target", func(c *Config) { c.Domains.Target = "https://proxy.example" }},
		{"domains.resolver", func(c *Config) { c.Domains.Resolver = "dns.example" }},
		{"domains.resolver", func(c *Config) { c.Domains.Resolver = "192.0.2.1:x" }},
		{"tenants.base_domain", func(c *Config) { c.Tenants.BaseDomain = "Clients.example" }},
		{"tenants.trash_for", func(c *Config) { c.Tenants.TrashFor = -time.Hour }},
		{"tenants.stop_timeout", func(c *Config) { c.Tenants.StopTimeout = 0 }},
		{"tenants.default_plan", func(c *Config) { c.Tenants.DefaultPlan = "" }},
		{"tenants.health_interval", func(c *Config) { c.Tenants.HealthInterval = 0 }},
		{"snapshots.per_member", func(c *Config) { c.Snapshots.PerMember = 0 }},
		{"snapshots.hold_limit", func(c *Config) { c.Snapshots.HoldLimit = 0 }},
		{"snapshots.hold_limit", func(c *Config) { c.Snapshots.HoldLimit = time.Hour }},
		{"backups.location", func(c *Config) { c.Backups.Location = "/srv/backups" }},
		{"backups.location", func(c *Config) { c.Backups.Location = "file://srv/backups" }},
		{"backups.location", func(c *Config) { c.Backups.Location = "file:///" }},
		{"backups.location", func(c *Config) { c.Backups.Location = "ftp://host/x" }},
		{"backups.location", func(c *Config) { c.Backups.Location = "s3://Bucket" }},
		{"backups.location", func(c *Config) { c.Backups.Location = "s3://key:secret@bucket" }},
		{"s3.endpoint", func(c *Config) { c.Backups.Location = "s3://backups/fleet" }},
		{"backups.key_file", func(c *Config) { c.Backups.KeyFile = "key" }},
		{"backups.upload_limit", func(c *Config) { c.Backups.UploadLimit = 5 }},
		{"backups.parallel", func(c *Config) { c.Backups.Parallel = 0 }},
		{"backups.per_member", func(c *Config) { c.Backups.PerMember = 0 }},
		{"backups.lock_for", func(c *Config) { c.Backups.LockFor = 48 * time.Hour }},
		{"backups.lock_for", func(c *Config) {
			c.S3.Endpoint, c.Backups.Location, c.Backups.LockFor = "https://s3.example", "s3://backups", time.Hour
		}},
		{"backups.control_every", func(c *Config) { c.Backups.ControlEvery = time.Second }},
		{"backups.prune_every", func(c *Config) { c.Backups.PruneEvery = 0 }},
		{"backups.verify_every", func(c *Config) { c.Backups.VerifyEvery = time.Minute }},
		{"backups.keep_old", func(c *Config) { c.Backups.KeepOld = -time.Second }},
		{"snapshots.keep_safety", func(c *Config) { c.Snapshots.KeepSafety = time.Second }},
		{"network.reach", func(c *Config) { c.Network.Reach = "magic" }},
		{"network.ports", func(c *Config) { c.Network.Ports = "20000" }},
		{"network.ports", func(c *Config) { c.Network.Ports = "300-200" }},
		{"network.ports", func(c *Config) { c.Network.Ports = "1-70000" }},
		{"network.subnets", func(c *Config) { c.Network.Subnets = []string{"10.0.0.0/24", "lan"} }},
		{"network.listen", func(c *Config) { c.Network.Listen = "n1" }},
		{"placement.strategy", func(c *Config) { c.Placement.Strategy = "random" }},
		{"placement.overcommit_cpu", func(c *Config) { c.Placement.OvercommitCPU = -1 }},
		{"placement.overcommit_memory", func(c *Config) { c.Placement.OvercommitMemory = math.NaN() }},
		{"placement.overcommit_disk", func(c *Config) { c.Placement.OvercommitDisk = 1e9 }},
		{"placement.pool_head_room_percent", func(c *Config) { c.Placement.PoolHeadRoomPercent = 95 }},
		{"placement.spare_members", func(c *Config) { c.Placement.SpareMembers = -1 }},
		{"placement.target_promised", func(c *Config) { c.Placement.TargetPromised = 101 }},
		{"placement.target_used", func(c *Config) { c.Placement.TargetUsed = -1 }},
		{"placement.rest_after_move", func(c *Config) { c.Placement.RestAfterMove = -time.Hour }},
		{"jobs.workers", func(c *Config) { c.Jobs.Workers = 0 }},
		{"jobs.keep_for", func(c *Config) { c.Jobs.KeepFor = time.Minute }},
		{"images.debootstrap_mirror", func(c *Config) { c.Images.DebootstrapMirror = "ftp://x" }},
		{"images.sources", func(c *Config) { c.Images.Sources = []string{"https://images.example"} }},
		{"images.sources", func(c *Config) { c.Images.Sources = []string{"*"} }},
		{"images.sources", func(c *Config) { c.Images.Sources = []string{"*.org"} }},
		{"images.sources", func(c *Config) { c.Images.Sources = []string{"images.example:0"} }},
		{"images.folders", func(c *Config) { c.Images.Folders = []string{"images"} }},
		{"images.folders", func(c *Config) { c.Images.Folders = []string{"/"} }},
		{"images.upload_limit", func(c *Config) { c.Images.UploadLimit = 5 }},
		{"log.level", func(c *Config) { c.Log.Level = "loud" }},
		{"log.format", func(c *Config) { c.Log.Format = "xml" }},
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			c := Default()
			tt.change(&c)
			e, ok := errors.AsType[*fleet.Error](c.Validate())
			if !ok || e.Code != fleet.Invalid || e.Field != tt.field || e.Hint == "" {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestWhereBackupsAre(t *testing.T) {
	c := Default()
	if c.BackupLocation() != "file:///var/lib/lxdfleet/backups" || c.BackupKeyFile() != "/var/lib/lxdfleet/backups.key" {
		t.Error(c.BackupLocation(), c.BackupKeyFile())
	}
	c.S3.Endpoint, c.Backups.Location, c.Backups.KeyFile, c.Backups.LockFor = "https://s3.example", "s3://backups/fleet", "/etc/lxdfleet/key", 720*time.Hour
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.BackupLocation() != "s3://backups/fleet" || c.BackupKeyFile() != "/etc/lxdfleet/key" || c.BackupCache() != "/var/lib/lxdfleet/backups.cache" {
		t.Error(c.BackupLocation(), c.BackupKeyFile(), c.BackupCache())
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lxdfleet.yaml")
	if _, err := Load(path); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("log: {level: debug}\ndata_dir: /srv/fleet\nproxy:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Log.Level, want.DataDir = "debug", "/srv/fleet"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.DSN() != "sqlite:///srv/fleet/lxdfleet.db" || got.UploadDir() != "/srv/fleet/uploads" {
		t.Error(got.DSN(), got.UploadDir())
	}
	if got, err := Load(""); err != nil || !cmp.Equal(got, Default()) {
		t.Error(got, err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv(EnvFile, "/from/env")
	if got := Find("/named"); got != "/named" {
		t.Error(got)
	}
	if got := Find(""); got != "/from/env" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add("proxy:\n  htps: 1\n")
	f.Add("a: &x 1\nb: *x\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.yaml", []byte(text))
		if err != nil {
			if !strings.Contains(err.Error(), "f.yaml") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("Parse accepted what Validate refuses: %v", err)
		}
		again, err := Parse("f.yaml", []byte(c.YAML()))
		hides := slices.ContainsFunc(Settings{Config: c}.List(), func(s Setting) bool { return s.Hidden })
		if !hides && (err != nil || !cmp.Equal(again, c)) {
			t.Errorf("written %s\nread %v %v", c.YAML(), again, err)
		}
	})
}
