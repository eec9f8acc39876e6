-- What the proxies share: certificates with their keys, accounts at certificate authorities,
-- orders. path has the form of a file's, without a leading slash. Its length is what an index
-- of MySQL can hold.
CREATE TABLE cert_files (
  path     VARCHAR(740) NOT NULL PRIMARY KEY,
  data     MEDIUMBLOB   NOT NULL,
  modified BIGINT       NOT NULL
){{.Table}};

-- A lock is held while beat grows. No time is stored: who waits measures by its own clock how
-- long the beat stands still, so clocks need not agree.
CREATE TABLE cert_locks (
  name  VARCHAR(740) NOT NULL PRIMARY KEY,
  owner VARCHAR(64)  NOT NULL,
  beat  BIGINT       NOT NULL
){{.Table}};
