-- When a session ends, however much it is used: sooner where an OpenID provider was asked.
ALTER TABLE sessions ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET ends_at = created_at + 2592000000000;
