-- One-time links to tenants' first credentials. hash is that of the secret, which is kept nowhere; used_at
-- is 0 until the link is used.
CREATE TABLE tenant_links (
  hash       VARCHAR(64) NOT NULL PRIMARY KEY,
  tenant_id  VARCHAR(64) NOT NULL,
  expires_at BIGINT      NOT NULL,
  used_at    BIGINT      NOT NULL,
  CONSTRAINT tenant_links_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
){{.Table}};

CREATE INDEX tenant_links_tenant_id ON tenant_links (tenant_id);

-- Requests that were sent with an Idempotency-Key, and what they were answered. id is a hash of the caller
-- and the key. status is 0 until the answer is known; body is sealed where the answer holds a secret.
CREATE TABLE answers (
  id           VARCHAR(64) NOT NULL PRIMARY KEY,
  request_hash VARCHAR(64) NOT NULL,
  status       BIGINT      NOT NULL,
  header       MEDIUMTEXT  NOT NULL,
  body         MEDIUMTEXT  NOT NULL,
  created_at   BIGINT      NOT NULL
){{.Table}};

CREATE INDEX answers_age ON answers (created_at);
