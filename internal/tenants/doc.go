// Package tenants is the life of tenants: the jobs that create, start, stop, resize, remove
// and adopt them, the observation of their instances in LXD, and the routes that follow.
//
// What it guarantees:
//
//   - A tenant's name and domains are its own from the first step of its creation to its
//     purge; a creation that fails leaves no instance, no row and no route behind.
//   - It deletes only instances it made: a clone that carries the key of the job that undoes
//     it, an instance that carries the tenant's own id, or what the sweep can prove to be the
//     leftover of a finished job. Everything else in the LXD project is left alone.
//   - It never fights an operator: what lxc does by hand is followed, within a second where
//     LXD sends an event or the backend stops answering, else with the next full list.
//   - Routes never give one domain to two tenants, and a tenant that is away for a moment has
//     its requests held, not refused.
//   - No secret passes through it: what a hook prints is shown only when the hook fails, and
//     credentials stay inside the instance.
//
// An Observer knows what LXD last said, so that lists and routes cost no call to LXD. A
// Service checks requests and submits jobs. Register gives the job engine the kinds. Trash
// and Sweep are loops.
package tenants
