<?php
// Commits one transaction of the load that tests and benchmarks put on a WordPress tenant: see
// load.go. It comes in by the tenant's own web server and logs in as WordPress does.
ini_set('display_errors', '0');
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
require '/etc/wordpress/secrets.php';

try {
	[$writer, $seq, $seen] = array_map(static fn($name) => (int) $_POST[$name], ['writer', 'seq', 'seen']);
	$db = new mysqli('localhost', 'wordpress', DB_PASSWORD, 'wordpress', 0, '/run/mysqld/mysqld.sock');
	$db->begin_transaction();
	for ($part = 0; $part < 3; $part++) {
		$payload = bin2hex(random_bytes(random_int(8, 400)));
		$db->execute_query('INSERT INTO load_rows VALUES (?, ?, ?, ?, ?, 0, ?)',
			[$writer, $seq, $part, $seen, $payload, sum($writer, $seq, $part, $seen, $payload, 0)]);
	}
	// The row of a while ago is changed: what was written once is written again in place.
	$old = $db->execute_query('SELECT seq, part, seen, payload, version FROM load_rows WHERE writer = ? AND seq <= ? AND part = 1
		ORDER BY seq DESC LIMIT 1', [$writer, $seq - 5])->fetch_assoc();
	if ($old) {
		$payload = strrev($old['payload']);
		$db->execute_query('UPDATE load_rows SET payload = ?, version = version + 1, sum = ? WHERE writer = ? AND seq = ? AND part = 1',
			[$payload, sum($writer, (int) $old['seq'], 1, (int) $old['seen'], $payload, $old['version'] + 1), $writer, $old['seq']]);
	}
	$db->execute_query('INSERT INTO load_last VALUES (?, ?) ON DUPLICATE KEY UPDATE seq = VALUES(seq)', [$writer, $seq]);
	$db->commit();
	// A table without transactions, as some plugins have them.
	$db->execute_query('INSERT INTO load_log VALUES (?, ?)', [$writer, $seq]);
	header('Content-Type: text/plain');
	echo "committed $writer $seq\n";
} catch (Throwable $e) {
	error_log('rows: ' . $e->getMessage());
	http_response_code(500);
	echo $e->getMessage(), "\n";
}

function sum(int $writer, int $seq, int $part, int $seen, string $payload, int $version): string
{
	return hash('sha256', "$writer $seq $part $seen $version $payload");
}
