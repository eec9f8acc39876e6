// Package placement decides which member a tenant lives on, and which tenants would have to move
// to empty a member, to bring the fleet under its targets, or to empty as many members as can be.
//
// It is pure: a choice or a plan follows from the view alone, whatever the order in it, and a
// refusal says for every member why it was refused. Nothing is ever placed on a member that is
// offline, cordoned or without room, and an empty member more never turns a wish that could be
// met into one that cannot. A plan's moves keep every rule after each of them, in their order.
package placement
