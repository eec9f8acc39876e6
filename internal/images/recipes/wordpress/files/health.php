<?php
// Healthy: personalised (there is a configuration), and WordPress with its
// plugins loads and answers from its database. No theme is involved.
define('WP_USE_THEMES', false);
require '/usr/share/wordpress/wp-load.php';
global $wpdb;
if ((int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->users") < 1) {
	http_response_code(503);
	exit("no users\n");
}
header('Content-Type: text/plain');
header('Cache-Control: no-store');
echo "healthy\n";
