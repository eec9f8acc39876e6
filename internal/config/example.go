package config

import _ "embed"

//go:embed example.yaml
var example string

// Example gives a commented configuration file with every setting at its default.
func Example() string { return example }
