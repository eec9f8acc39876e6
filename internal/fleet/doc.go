// Package fleet holds the words of lxdfleet: tenants, golden images, instances, members,
// routes, jobs, their names and their errors.
//
// It imports the standard library only (and the IDNA tables), so every other package may
// import it. Values that come from outside are made by a ParseX function or a Validate
// method; a value that exists is valid.
package fleet
