<?php
// Runs once, at build time, by the web server's user: compiles WordPress into
// the file cache of opcache, so that clones need not.
const ROOT = '/usr/share/wordpress';
const SKIP = [
	'wp-admin/includes/noop.php', // empty twins of functions of wp-includes
	'wp-includes/js/tinymce/wp-tinymce.php',
];
$files = glob(ROOT . '/*.php');
foreach (['wp-includes', 'wp-admin', 'wp-content/themes/twentytwentythree'] as $part) {
	$walk = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(ROOT . "/$part", FilesystemIterator::SKIP_DOTS));
	foreach ($walk as $file) {
		$files[] = $file->getPathname();
	}
}
$count = 0;
foreach ($files as $file) {
	if (str_ends_with($file, '.php') && !in_array(substr($file, strlen(ROOT) + 1), SKIP, true)) {
		$count += (int) @opcache_compile_file($file);
	}
}
echo "$count files compiled\n";
