<?php
// Holds the database still for a snapshot: prints "held" once nothing is
// written any more, and lets go when standard input ends or LXDFLEET_LIMIT
// seconds after its start. Should this process die, the server ends its session
// and so the hold; should it freeze, the server ends it by wait_timeout.
//
// BACKUP STAGE rather than FLUSH TABLES WITH READ LOCK: while both wait for a
// long write to a table without transactions, commits to the others go on with
// the first and wait with the second. Reads go on all the time.
$limit = max(1, (int) (getenv('LXDFLEET_LIMIT') ?: 5));
$until = microtime(true) + $limit;
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

try {
	$db = mysqli_init();
	$db->options(MYSQLI_OPT_CONNECT_TIMEOUT, $limit);
	$db->options(MYSQLI_OPT_READ_TIMEOUT, $limit + 1);
	$db->real_connect('localhost', 'root', '', '', 0, '/run/mysqld/mysqld.sock');
	$db->query('SET SESSION wait_timeout = ' . ($limit + 1));
	foreach (['START', 'FLUSH', 'BLOCK_DDL', 'BLOCK_COMMIT'] as $stage) {
		$db->query('SET SESSION lock_wait_timeout = ' . max(1, (int) ceil($until - microtime(true))));
		$db->query("BACKUP STAGE $stage");
	}
	// What is committed is in InnoDB's log, also where a site has that log
	// written once a second only.
	$db->query('FLUSH ENGINE LOGS');
	if (microtime(true) >= $until) {
		throw new RuntimeException("the database did not come to rest within $limit s");
	}
	echo "held\n";
	wait_for_end($until);
	$db->query('BACKUP STAGE END');
} catch (Throwable $e) {
	fwrite(STDERR, 'pre-snapshot: ' . $e->getMessage() . "\n");
	exit(1);
}

function wait_for_end(float $until): void
{
	stream_set_blocking(STDIN, false);
	while (!feof(STDIN) && ($left = $until - microtime(true)) > 0) {
		$read = [STDIN];
		$write = $except = null;
		stream_select($read, $write, $except, (int) $left, (int) (fmod($left, 1) * 1e6));
		fread(STDIN, 8192);
	}
}
