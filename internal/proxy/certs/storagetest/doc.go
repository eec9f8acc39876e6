// Package storagetest is what every storage of certificates must do: the contract of
// certmagic.Storage, and what several proxies on one storage rely on. It is run on files, SQLite,
// MariaDB and S3.
package storagetest
