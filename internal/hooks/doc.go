// Package hooks runs commands inside instances that may be run twice, such as the hooks of golden
// images, and reads what an instance can say of why it is not well.
//
// Run ends also where LXD does not: with many instances booting at once `lxc exec` was seen
// hanging for ever after the command had ended and its output had arrived (LXD 5.0.2, once in
// some hundred times). The end of a command is therefore told in its output too, and a command
// that tells none within its time is run once more.
package hooks
