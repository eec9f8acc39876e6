DROP TABLE IF EXISTS load_rows, load_last, load_log;
CREATE TABLE load_rows (
	writer INT NOT NULL, seq INT NOT NULL, part INT NOT NULL,
	seen INT NOT NULL, payload TEXT NOT NULL, version INT NOT NULL, sum CHAR(64) NOT NULL,
	PRIMARY KEY (writer, seq, part)
) ENGINE=InnoDB;
CREATE TABLE load_last (writer INT PRIMARY KEY, seq INT NOT NULL) ENGINE=InnoDB;
CREATE TABLE load_log (writer INT NOT NULL, seq INT NOT NULL, PRIMARY KEY (writer, seq)) ENGINE=MyISAM;
