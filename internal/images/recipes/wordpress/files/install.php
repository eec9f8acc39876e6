<?php
// Runs once, at build time, as root: makes WordPress's tables and first
// content with WordPress's own installer. Nobody can log in afterwards; the
// personalize hook gives each clone its own password.
$_SERVER['HTTP_HOST'] = 'localhost';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
define('WP_INSTALLING', true);
require '/usr/share/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
// No letter about the new site, and no requests to itself to try permalinks.
add_filter('pre_wp_mail', '__return_false');
add_filter('pre_http_request', static fn() => new WP_Error('offline', 'no requests while building'));

wp_install('New site', 'admin', 'admin@localhost.localdomain', true, '', wp_generate_password(40));
if (!is_blog_installed()) {
	fwrite(STDERR, "WordPress did not install itself\n");
	exit(1);
}
update_option('permalink_structure', '/%year%/%monthnum%/%day%/%postname%/');
$GLOBALS['wp_rewrite']->init();
flush_rewrite_rules(false);
update_option('default_pingback_flag', 0);
update_option('default_ping_status', 'closed');
switch_theme('twentytwentythree');
$GLOBALS['wpdb']->update($GLOBALS['wpdb']->users, ['user_pass' => '!', 'user_activation_key' => ''], ['ID' => 1]);
echo "WordPress ", get_bloginfo('version'), " is installed\n";
