-- Users. tenants are those of a client, separated by spaces. subject is "ISSUER SUBJECT" of an
-- OpenID provider, empty for none.
CREATE TABLE users (
  name          VARCHAR(63)  NOT NULL PRIMARY KEY,
  display_name  MEDIUMTEXT   NOT NULL,
  role          VARCHAR(32)  NOT NULL,
  tenants       MEDIUMTEXT   NOT NULL,
  disabled      BIGINT       NOT NULL,
  password_hash MEDIUMTEXT   NOT NULL,
  totp_secret   VARCHAR(255) NOT NULL,
  totp_step     BIGINT       NOT NULL,
  subject       VARCHAR(255) NOT NULL,
  created_at    BIGINT       NOT NULL,
  updated_at    BIGINT       NOT NULL,
  last_seen_at  BIGINT       NOT NULL,
  revision      BIGINT       NOT NULL
){{.Table}};

CREATE INDEX users_subject ON users (subject);

-- One-time links by which a user sets a password. hash is that of the secret, which is kept nowhere.
CREATE TABLE user_links (
  hash       VARCHAR(64) NOT NULL PRIMARY KEY,
  user_name  VARCHAR(63) NOT NULL,
  expires_at BIGINT      NOT NULL
){{.Table}};

CREATE TABLE sessions (
  id         VARCHAR(64) NOT NULL PRIMARY KEY,
  hash       VARCHAR(64) NOT NULL,
  user_name  VARCHAR(63) NOT NULL,
  created_at BIGINT      NOT NULL,
  seen_at    BIGINT      NOT NULL,
  expires_at BIGINT      NOT NULL,
  address    MEDIUMTEXT  NOT NULL,
  user_agent MEDIUMTEXT  NOT NULL
){{.Table}};

CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_user ON sessions (user_name);

CREATE TABLE tokens (
  id           VARCHAR(64)  NOT NULL PRIMARY KEY,
  hash         VARCHAR(64)  NOT NULL,
  name         VARCHAR(255) NOT NULL,
  owner        VARCHAR(63)  NOT NULL,
  role         VARCHAR(32)  NOT NULL,
  tenants      MEDIUMTEXT   NOT NULL,
  created_at   BIGINT       NOT NULL,
  expires_at   BIGINT       NOT NULL,
  last_used_at BIGINT       NOT NULL,
  last_used_by MEDIUMTEXT   NOT NULL
){{.Table}};

CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_owner ON tokens (owner);

-- Append-only. doc is the whole entry as JSON; the other columns are indexes over it.
CREATE TABLE audit (
  seq       BIGINT       NOT NULL PRIMARY KEY,
  at        BIGINT       NOT NULL,
  user_name VARCHAR(63)  NOT NULL,
  operation VARCHAR(64)  NOT NULL,
  subject   VARCHAR(255) NOT NULL,
  hash      VARCHAR(64)  NOT NULL,
  doc       MEDIUMTEXT   NOT NULL
){{.Table}};

CREATE INDEX audit_user ON audit (user_name, seq);
CREATE INDEX audit_subject ON audit (subject, seq);

INSERT INTO counters (name, value) VALUES ('audit', 0);
