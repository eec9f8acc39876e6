// Package images makes, keeps and spreads golden images: the LXD images tenants are cloned
// from.
//
// A Recipe says how an image is built. It travels as a Bundle, a tar of recipe.yaml and the
// files it names, whose SHA-256 is the image's lineage. Every change is a job:
//
//   - image.build makes an instance from the base, runs the recipe in it, cleans it, publishes
//     NAME/VERSION, clones that once and waits for its health, unpacks it ahead on every member
//     that is online, and only then moves the alias NAME to it (the commit point);
//   - image.import does the same with an image that exists already;
//   - image.delete removes a version no tenant uses; where that was the current one, the newest
//     that is left becomes current.
//
// A version that exists is never built or imported again: the request is refused.
//
// What the package guarantees: a build or import that fails leaves the current version as it
// was and nothing of its own in LXD or the store, except the base image, which is kept for the
// next build. A version never changes once it is published. Everything lxdfleet knows of an
// image is also in the image's own properties, so Recover can rebuild the records from LXD.
//
// What is unpacked where is standing state, so no job keeps it: the Distributor compares what
// should be with what is, for ever, so that a clone does not wait for an unpack.
package images
