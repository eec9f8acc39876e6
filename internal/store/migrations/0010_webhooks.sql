-- doc is the webhook as JSON; secret signs what is sent to it.
CREATE TABLE webhooks (
  id       VARCHAR(64)  NOT NULL PRIMARY KEY,
  name     VARCHAR(255) NOT NULL,
  secret   VARCHAR(255) NOT NULL,
  revision BIGINT       NOT NULL,
  doc      MEDIUMTEXT   NOT NULL
){{.Table}};

CREATE UNIQUE INDEX webhooks_name ON webhooks (name);

-- claimed_until keeps two daemons from sending one delivery at the same time.
CREATE TABLE deliveries (
  id            VARCHAR(64)  NOT NULL PRIMARY KEY,
  webhook_id    VARCHAR(64)  NOT NULL,
  type          VARCHAR(64)  NOT NULL,
  subject       VARCHAR(255) NOT NULL,
  body          MEDIUMTEXT   NOT NULL,
  state         VARCHAR(16)  NOT NULL,
  attempts      BIGINT       NOT NULL,
  status        BIGINT       NOT NULL,
  error         MEDIUMTEXT   NOT NULL,
  took          BIGINT       NOT NULL,
  created_at    BIGINT       NOT NULL,
  next_at       BIGINT       NOT NULL,
  done_at       BIGINT       NOT NULL,
  since         BIGINT       NOT NULL,
  claimed_until BIGINT       NOT NULL,
  CONSTRAINT deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
){{.Table}};

CREATE INDEX deliveries_order ON deliveries (webhook_id, subject, state, id);
CREATE INDEX deliveries_due ON deliveries (state, next_at);
