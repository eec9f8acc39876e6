-- What is known of the backups in the repository. record is the whole backup as JSON; the other
-- columns are indexes over it.
CREATE TABLE backups (
  id        VARCHAR(64) NOT NULL PRIMARY KEY,
  tenant    VARCHAR(63) NOT NULL,
  tenant_id VARCHAR(64) NOT NULL,
  job_id    VARCHAR(64) NOT NULL,
  taken_at  BIGINT      NOT NULL,
  damaged   BIGINT      NOT NULL,
  record    MEDIUMTEXT  NOT NULL
){{.Table}};

CREATE INDEX backups_taken ON backups (taken_at, id);

CREATE INDEX backups_tenant ON backups (tenant, taken_at);

CREATE INDEX backups_tenant_id ON backups (tenant_id, taken_at);

-- Restores that were tried out. They outlive their backup. record is the whole drill as JSON.
CREATE TABLE drills (
  id        VARCHAR(64) NOT NULL PRIMARY KEY,
  backup_id VARCHAR(64) NOT NULL,
  tenant    VARCHAR(63) NOT NULL,
  passed    BIGINT      NOT NULL,
  record    MEDIUMTEXT  NOT NULL
){{.Table}};

CREATE INDEX drills_backup ON drills (backup_id, id);

CREATE INDEX drills_tenant ON drills (tenant, id);

-- Facts about the repository, such as which of its keys somebody has a copy of.
CREATE TABLE backup_facts (
  name  VARCHAR(64) NOT NULL PRIMARY KEY,
  value MEDIUMTEXT  NOT NULL
){{.Table}};
