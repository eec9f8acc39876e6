// Package placement decides which member a tenant lives on.
//
// It is pure: a choice follows from the view and the wish alone, so the same view and wish
// always give the same member, and a refused wish says for every member why it was refused.
// It never chooses a member that is offline, cordoned or without room, and a member more
// never turns a wish that could be met into one that cannot.
package placement
