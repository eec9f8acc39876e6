-- Proxies on hosts of their own that have joined. id is in the certificate of each, so that one
-- that was removed is not taken for another that has its name now.
CREATE TABLE proxies (
  name      VARCHAR(63) NOT NULL PRIMARY KEY,
  id        VARCHAR(64) NOT NULL,
  joined_at BIGINT      NOT NULL,
  seen_at   BIGINT      NOT NULL,
  address   MEDIUMTEXT  NOT NULL,
  version   MEDIUMTEXT  NOT NULL
){{.Table}};

-- Tokens to join with, each good once: the row goes with it. hash is that of the secret, which is
-- kept nowhere. name is empty where the token is good for any.
CREATE TABLE proxy_tokens (
  hash       VARCHAR(64) NOT NULL PRIMARY KEY,
  name       VARCHAR(63) NOT NULL,
  created_at BIGINT      NOT NULL,
  expires_at BIGINT      NOT NULL
){{.Table}};

-- The authority, with its key, that the certificates of controllers and proxies come from. There
-- is one row, of id 1.
CREATE TABLE proxy_authority (
  id  BIGINT     NOT NULL PRIMARY KEY,
  pem MEDIUMTEXT NOT NULL
){{.Table}};
