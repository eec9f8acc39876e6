<?php
// Debian's wp-config.php reads this file. It is the same in every clone; what
// differs is in secrets.php (made once) and site.php (written anew by each
// personalize). Put your own settings into local.php: they come first and win.
if (!is_file('/etc/wordpress/secrets.php')) {
	http_response_code(503);
	header('Retry-After: 5');
	exit("This site is not set up yet.\n");
}
foreach (['local', 'secrets', 'site'] as $part) {
	if (is_file("/etc/wordpress/$part.php")) {
		require "/etc/wordpress/$part.php";
	}
}
$lxdfleet_defaults = [
	'DB_NAME' => 'wordpress',
	'DB_USER' => 'wordpress',
	'DB_HOST' => 'localhost:/run/mysqld/mysqld.sock',
	'DB_CHARSET' => 'utf8mb4',
	// Debian's packages bring updates; a web server must not write its own code.
	'AUTOMATIC_UPDATER_DISABLED' => true,
	'WP_AUTO_UPDATE_CORE' => false,
	// A timer runs the cron jobs; visitors do not wait for them.
	'DISABLE_WP_CRON' => true,
	// Nothing is fetched from outside unless local.php says so.
	'WP_HTTP_BLOCK_EXTERNAL' => true,
	'WP_ALLOW_MULTISITE' => false,
];
foreach ($lxdfleet_defaults as $name => $value) {
	defined($name) || define($name, $value);
}
unset($lxdfleet_defaults, $name, $value, $part);
