-- What operators have said of LXD's members. A member without a row is not cordoned and has no
-- labels. labels is a JSON object.
CREATE TABLE members (
  name       VARCHAR(255) NOT NULL PRIMARY KEY,
  cordoned   SMALLINT     NOT NULL,
  reason     MEDIUMTEXT   NOT NULL,
  labels     MEDIUMTEXT   NOT NULL,
  updated_at BIGINT       NOT NULL,
  revision   BIGINT       NOT NULL
){{.Table}};
