// Package mariadb starts a private MariaDB server for a test: its own data folder, a free port
// on the loopback address, ended and removed when the test ends. The server of the machine, if
// there is one, is not touched, and nothing is installed.
//
// The server dies with the test process, however that ends. It can be stopped, killed, frozen
// and started again on the same port with the same data, to see what a program does while its
// database is gone.
package mariadb
