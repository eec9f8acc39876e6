-- What is known of a tenant's snapshots besides what LXD knows. record is JSON; LXD decides which
-- snapshots there are.
CREATE TABLE snapshots (
  tenant_id VARCHAR(64)  NOT NULL,
  name      VARCHAR(255) NOT NULL,
  record    MEDIUMTEXT   NOT NULL,
  PRIMARY KEY (tenant_id, name)
){{.Table}};

-- When tenants are snapshotted, backed up and drilled. record is JSON.
CREATE TABLE policies (
  name     VARCHAR(63) NOT NULL PRIMARY KEY,
  revision BIGINT      NOT NULL,
  record   MEDIUMTEXT  NOT NULL
){{.Table}};

-- How far a tenant's schedule was followed. what is snapshots, backups or drills; rule is the
-- expression and zone that were followed.
CREATE TABLE schedule_marks (
  what      VARCHAR(32) NOT NULL,
  tenant_id VARCHAR(64) NOT NULL,
  rule      MEDIUMTEXT  NOT NULL,
  last_at   BIGINT      NOT NULL,
  PRIMARY KEY (what, tenant_id)
){{.Table}};
