//go:build !race

package link

const slack = 1
