// Package config holds the daemon's settings: the file, its defaults and its rules.
//
// It guarantees that a Config which Load or Default returned is complete and valid: every
// setting has a value, and every value keeps its rule. Reading is strict, because a mistyped
// key that is silently ignored is a setting the operator believes in and the daemon does not
// have: an unknown key, a key given twice or a value of the wrong sort is an error that names
// the file, line and column, and the key that was probably meant.
//
// All settings have defaults; lxdfleet works on one machine without any file.
package config
