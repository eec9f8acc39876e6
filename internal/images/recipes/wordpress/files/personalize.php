<?php
// See personalize.sh. Every step may be repeated: a run that was killed
// half-way is finished by the next one, a first one with the same secrets.
const SECRETS = '/etc/wordpress/secrets.php';
const SITE = '/etc/wordpress/site.php';
const CREDENTIALS = '/root/lxdfleet-credentials';
const DONE = '/var/lib/lxdfleet/personalized';
const HOST = '/var/lib/lxdfleet/host'; // the name and network card it was last personalised with
const QUIET = '/var/lib/lxdfleet/quiet'; // see lxdfleet-outgoing
const BUILD_URL = 'http://build.invalid'; // what the image was installed with

set_error_handler(static function (int $no, string $message): never {
	throw new RuntimeException($message);
});
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

try {
	$tenant = getenv('LXDFLEET_TENANT') ?: throw new RuntimeException('LXDFLEET_TENANT is not set');
	$domain = getenv('LXDFLEET_DOMAIN') ?: throw new RuntimeException('LXDFLEET_DOMAIN is not set');
	$url = rtrim(getenv('LXDFLEET_URL') ?: "https://$domain", '/');
	personalize($tenant, $domain, $url);
	echo "personalized for $url\n";
} catch (Throwable $e) {
	fwrite(STDERR, 'personalize: ' . $e->getMessage() . "\n");
	exit(1);
}

function personalize(string $tenant, string $domain, string $url): void
{
	$first = !is_file(DONE);
	$copy = !$first && getenv('LXDFLEET_COPY') === '1' && is_new();
	if ($copy) {
		forget();
	}
	// Files before the database: what the database is told can be read back
	// from them if this run dies in between.
	if (!is_file(SECRETS)) {
		write_file(SECRETS, secrets(), 0640, 'www-data');
	}
	$password = $first || $copy ? admin_password($url) : '';
	write_file(SITE, "<?php\n" . defines(['WP_HOME' => $url, 'WP_SITEURL' => $url]), 0640, 'www-data');
	require SECRETS;

	$db = connect(30.0);
	$db->select_db('wordpress');
	$db->query("ALTER USER wordpress@localhost IDENTIFIED BY '" . $db->escape_string(DB_PASSWORD) . "' ACCOUNT UNLOCK");
	$db->begin_transaction();
	if ($first) {
		set_up($db, $tenant, $domain, $url, $password);
	}
	if ($copy) {
		set_apart($db, $url, $password);
	}
	$db->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name IN ('siteurl', 'home')", [$url]);
	$db->commit();
	if ($first) {
		write_file(DONE, '', 0644, 'root');
	}
	if ($copy) {
		if (getenv('LXDFLEET_MAIL') !== '1') {
			write_file(QUIET, '', 0644, 'root');
		}
		// PHP would go by the old secrets until it looks at the file again.
		exec('systemctl reload-or-restart php8.2-fpm.service', $said, $code);
		$code === 0 || throw new RuntimeException('PHP does not start again: ' . implode(' ', $said));
	}
	write_file(HOST, implode("\n", identity()) . "\n", 0644, 'root'); // last: until then it is a copy
}

// is_new tells a copy that has not been personalised from one that has.
function is_new(): bool
{
	return !is_file(HOST) || file(HOST, FILE_IGNORE_NEW_LINES) !== identity();
}

function identity(): array
{
	$card = '/sys/class/net/eth0/address';
	return [gethostname(), is_readable($card) ? trim(file_get_contents($card)) : 'none'];
}

// forget removes the secrets that a copy has of the tenant it was made of.
function forget(): void
{
	foreach ([SECRETS, CREDENTIALS, ...glob('/etc/ssh/ssh_host_*')] as $file) {
		is_file($file) && unlink($file);
	}
	write_file('/etc/machine-id', bin2hex(random_bytes(16)) . "\n", 0444, 'root');
}

// set_apart gives a copy its address and its own passwords. Nobody who was
// logged in there is logged in here.
function set_apart(mysqli $db, string $url, string $password): void
{
	$old = $db->query("SELECT option_value FROM wp_options WHERE option_name = 'home'")->fetch_row()[0] ?? '';
	if ($old !== '' && $old !== $url) {
		$db->execute_query('UPDATE wp_posts SET post_content = REPLACE(post_content, ?, ?) WHERE INSTR(post_content, ?) > 0', [$old, $url, $old]);
	}
	$db->query("DELETE FROM wp_usermeta WHERE meta_key IN ('session_tokens', '_application_passwords')");
	$db->execute_query("UPDATE wp_users SET user_pass = ?, user_activation_key = '' WHERE user_login = 'admin'", [hash_password($password)]);
	if ($db->affected_rows === 0) {
		unlink(CREDENTIALS); // its people have removed that user
	}
}

function hash_password(string $password): string
{
	require_once '/usr/share/wordpress/wp-includes/class-phpass.php';
	return (new PasswordHash(8, true))->HashPassword($password);
}

// set_up is for the first run only: later its user may have changed all this.
function set_up(mysqli $db, string $tenant, string $domain, string $url, string $password): void
{
	$hash = hash_password($password);
	$mail = getenv('LXDFLEET_ADMIN_EMAIL') ?: "admin@$domain";
	$name = getenv('LXDFLEET_ADMIN_NAME') ?: 'admin';
	$db->execute_query("UPDATE wp_users SET user_pass = ?, user_email = ?, user_url = ?, display_name = ? WHERE user_login = 'admin'", [$hash, $mail, $url, $name]);
	$db->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name = 'blogname'", [$tenant]);
	$db->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name = 'admin_email'", [$mail]);
	$db->execute_query('UPDATE wp_posts SET post_content = REPLACE(post_content, ?, ?), guid = REPLACE(guid, ?, ?)',
		[BUILD_URL, $url, BUILD_URL, $url]);
}

// connect waits for the database, which starts while this runs.
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
			usleep(5000);
		}
	}
}

function secrets(): string
{
	$defines = ['DB_PASSWORD' => secret(32)];
	foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
		$defines[$name . '_KEY'] = secret(64);
		$defines[$name . '_SALT'] = secret(64);
	}
	return "<?php\n" . defines($defines);
}

function admin_password(string $url): string
{
	if (is_file(CREDENTIALS) && preg_match('/^password: (\S+)$/m', file_get_contents(CREDENTIALS), $found)) {
		return $found[1];
	}
	$password = secret(20);
	write_file(CREDENTIALS, "url: $url/wp-admin/\nuser: admin\npassword: $password\n", 0600, 'root');
	return $password;
}

// secret gives random letters and digits, 5.95 bits each.
function secret(int $length): string
{
	$letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
	$out = '';
	for ($i = 0; $i < $length; $i++) {
		$out .= $letters[random_int(0, 61)];
	}
	return $out;
}

function defines(array $values): string
{
	$out = '';
	foreach ($values as $name => $value) {
		$out .= sprintf("define(%s, %s);\n", var_export($name, true), var_export($value, true));
	}
	return $out;
}

// write_file replaces a file whole: a reader, or a crash, sees the old or the new.
function write_file(string $path, string $content, int $mode, string $group): void
{
	$file = fopen("$path.new", 'w');
	chmod("$path.new", $mode);
	chgrp("$path.new", $group);
	fwrite($file, $content);
	fflush($file);
	fsync($file);
	fclose($file);
	rename("$path.new", $path);
}
