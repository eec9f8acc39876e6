-- One text for SQLite and MySQL: SQLite reads VARCHAR and MEDIUMTEXT as text and BIGINT as
-- integer. {{.Table}} ends every CREATE TABLE. Times are microseconds since 1970 UTC, 0 for
-- none.

CREATE TABLE counters (
  name  VARCHAR(32) NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
){{.Table}};

INSERT INTO counters (name, value) VALUES ('tenants', 0);

-- domains (separated by spaces, the primary one first) and labels (JSON) are the tenant's
-- own; tenant_domains and tenant_labels are indexes over them, written in the same
-- transaction. So one statement reads a page of whole tenants. search is what a search looks
-- through, in lower case.
CREATE TABLE tenants (
  id            VARCHAR(64)  NOT NULL PRIMARY KEY,
  name          VARCHAR(63)  NOT NULL,
  display_name  MEDIUMTEXT   NOT NULL,
  contact       MEDIUMTEXT   NOT NULL,
  labels        MEDIUMTEXT   NOT NULL,
  image_name    VARCHAR(63)  NOT NULL,
  image_version VARCHAR(63)  NOT NULL,
  plan          VARCHAR(255) NOT NULL,
  domains       MEDIUMTEXT   NOT NULL,
  health        MEDIUMTEXT   NOT NULL,
  desired       VARCHAR(32)  NOT NULL,
  ready         BIGINT       NOT NULL,
  member        VARCHAR(255) NOT NULL,
  purge_at      BIGINT       NOT NULL,
  created_at    BIGINT       NOT NULL,
  updated_at    BIGINT       NOT NULL,
  revision      BIGINT       NOT NULL,
  search        MEDIUMTEXT   NOT NULL
){{.Table}};

CREATE UNIQUE INDEX tenants_name ON tenants (name);
CREATE INDEX tenants_image ON tenants (image_name, name);
CREATE INDEX tenants_member ON tenants (member, name);

CREATE TABLE tenant_domains (
  domain    VARCHAR(253) NOT NULL PRIMARY KEY,
  tenant_id VARCHAR(64)  NOT NULL,
  CONSTRAINT tenant_domains_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
){{.Table}};

CREATE INDEX tenant_domains_by_tenant ON tenant_domains (tenant_id);

-- tenant_name is here so that a page of one label's tenants is one range of an index.
CREATE TABLE tenant_labels (
  tenant_id   VARCHAR(64)  NOT NULL,
  label_key   VARCHAR(255) NOT NULL,
  label_value VARCHAR(255) NOT NULL,
  tenant_name VARCHAR(63)  NOT NULL,
  PRIMARY KEY (tenant_id, label_key),
  CONSTRAINT tenant_labels_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
){{.Table}};

CREATE INDEX tenant_labels_page ON tenant_labels (label_key, label_value, tenant_name);

CREATE TABLE images (
  name             VARCHAR(63) NOT NULL,
  version          VARCHAR(63) NOT NULL,
  fingerprint      VARCHAR(64) NOT NULL,
  description      MEDIUMTEXT  NOT NULL,
  health           MEDIUMTEXT  NOT NULL,
  hooks            MEDIUMTEXT  NOT NULL,
  recipe_hash      VARCHAR(64) NOT NULL,
  base_fingerprint VARCHAR(64) NOT NULL,
  size             BIGINT      NOT NULL,
  is_current       BIGINT      NOT NULL,
  job_id           VARCHAR(64) NOT NULL,
  created_at       BIGINT      NOT NULL,
  PRIMARY KEY (name, version)
){{.Table}};

CREATE INDEX images_fingerprint ON images (fingerprint);

-- The members an image is unpacked on. Several versions may share a fingerprint.
CREATE TABLE image_members (
  fingerprint VARCHAR(64)  NOT NULL,
  member      VARCHAR(255) NOT NULL,
  PRIMARY KEY (fingerprint, member)
){{.Table}};

CREATE TABLE recipes (
  hash VARCHAR(64) NOT NULL PRIMARY KEY,
  size BIGINT      NOT NULL
){{.Table}};

-- A bundle is cut into parts so that it stays far below the server's max_allowed_packet.
CREATE TABLE recipe_parts (
  hash VARCHAR(64) NOT NULL,
  seq  BIGINT      NOT NULL,
  data MEDIUMBLOB  NOT NULL,
  PRIMARY KEY (hash, seq),
  CONSTRAINT recipe_parts_recipe FOREIGN KEY (hash) REFERENCES recipes (hash) ON DELETE CASCADE
){{.Table}};

-- active_subject is the subject until the job is done, undone or cancelled, and NULL after:
-- being unique, it lets one subject have one active job. last_seq is the number of the job's
-- newest event.
CREATE TABLE jobs (
  id             VARCHAR(64)  NOT NULL PRIMARY KEY,
  kind           VARCHAR(255) NOT NULL,
  kind_version   BIGINT       NOT NULL,
  subject        VARCHAR(255) NOT NULL,
  active_subject VARCHAR(255),
  args           MEDIUMTEXT   NOT NULL,
  state          VARCHAR(32)  NOT NULL,
  error          MEDIUMTEXT   NOT NULL,
  error_code     VARCHAR(64)  NOT NULL,
  hint           MEDIUMTEXT   NOT NULL,
  cancel         BIGINT       NOT NULL,
  idem_key       VARCHAR(255),
  idem_hash      VARCHAR(255) NOT NULL,
  created_at     BIGINT       NOT NULL,
  updated_at     BIGINT       NOT NULL,
  lease_owner    VARCHAR(255) NOT NULL,
  lease_until    BIGINT       NOT NULL,
  lease_epoch    BIGINT       NOT NULL,
  not_before     BIGINT       NOT NULL,
  last_seq       BIGINT       NOT NULL
){{.Table}};

CREATE UNIQUE INDEX jobs_active_subject ON jobs (active_subject);
CREATE UNIQUE INDEX jobs_idem_key ON jobs (idem_key);
CREATE INDEX jobs_claim ON jobs (state, lease_until);
CREATE INDEX jobs_age ON jobs (state, updated_at);
CREATE INDEX jobs_subject ON jobs (subject, id);
CREATE INDEX jobs_kind ON jobs (kind, id);

CREATE TABLE job_events (
  job_id  VARCHAR(64)  NOT NULL,
  seq     BIGINT       NOT NULL,
  step    VARCHAR(255) NOT NULL,
  type    VARCHAR(32)  NOT NULL,
  state   MEDIUMTEXT   NOT NULL,
  message MEDIUMTEXT   NOT NULL,
  percent BIGINT       NOT NULL,
  bytes   BIGINT       NOT NULL,
  at      BIGINT       NOT NULL,
  PRIMARY KEY (job_id, seq),
  CONSTRAINT job_events_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
){{.Table}};
