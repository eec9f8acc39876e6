<?php
// Checks every table of every database: their rows, their indexes, and that
// these agree. The first argument is the application's database; the others
// are tables of it that must not be empty. Prints what was looked at; exits 1
// where anything is wrong, and tells what.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
const VIRTUAL = ['information_schema', 'performance_schema', 'sys'];
[, $application] = $argv;
$needed = array_slice($argv, 2);
$wrong = [];

try {
	$db = connect(60.0);
	$tables = [];
	$list = $db->query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'
		AND table_schema NOT IN ('" . implode("', '", VIRTUAL) . "') ORDER BY 1, 2");
	foreach ($list as $row) {
		[$schema, $table] = array_values($row);
		$tables[$schema][] = $table;
	}
	if (!isset($tables[$application])) {
		wrong("there is no database $application");
	}
	foreach ($tables as $schema => $names) {
		check_schema($schema, $names);
	}
	foreach (array_intersect($needed, $tables[$application] ?? []) as $table) {
		check_rows($application, $table);
	}
	foreach (array_diff($needed, $tables[$application] ?? []) as $table) {
		wrong("$application has no table $table");
	}
} catch (Throwable $e) {
	wrong($e->getMessage());
}
foreach ($wrong as $what) { // last: who shows one line only shows this
	fwrite(STDERR, "check: $what\n");
}
exit($wrong ? 1 : 0);

function check_schema(string $schema, array $tables): void
{
	global $db;
	$whole = 0;
	foreach ($tables as $table) {
		$bad = [];
		foreach ($db->query('CHECK TABLE ' . name($schema) . '.' . name($table)) as $row) {
			// Warnings, such as a table that was open at a power cut, are no damage.
			$status = $row['Msg_type'] === 'status';
			if ($row['Msg_type'] === 'error' || $status && !in_array($row['Msg_text'], ['OK', 'Table is already up to date'], true)) {
				$bad[] = $row['Msg_text'];
			}
		}
		if ($bad) {
			wrong("$schema.$table: " . implode('; ', array_unique($bad)));
		} else {
			$whole++;
		}
	}
	printf("database %s: %d of %d tables are whole\n", $schema, $whole, count($tables));
}

function check_rows(string $schema, string $table): void
{
	global $db;
	try {
		$count = (int) $db->query('SELECT COUNT(*) FROM ' . name($schema) . '.' . name($table))->fetch_row()[0];
	} catch (mysqli_sql_exception $e) {
		wrong("$schema.$table: " . $e->getMessage());
		return;
	}
	if ($count === 0) {
		wrong("$schema.$table is empty");
		return;
	}
	echo "table $schema.$table: $count rows\n";
}

function wrong(string $what): void
{
	global $wrong;
	$wrong[] = $what;
}

function name(string $identifier): string
{
	return '`' . str_replace('`', '``', $identifier) . '`';
}

// connect waits for the database, which may still be starting.
function connect(float $seconds): mysqli
{
	$until = microtime(true) + $seconds;
	for (;;) {
		try {
			return new mysqli('localhost', 'root', '', '', 0, '/run/mysqld/mysqld.sock');
		} catch (Throwable $e) {
			if (microtime(true) >= $until) {
				throw new RuntimeException('MariaDB did not answer: ' . $e->getMessage());
			}
			usleep(50000);
		}
	}
}
