-- Other LXD clusters that are known. record is the cluster as JSON; its key is in a file.
CREATE TABLE clusters (
  name   VARCHAR(255) NOT NULL PRIMARY KEY,
  record MEDIUMTEXT   NOT NULL
){{.Table}};
