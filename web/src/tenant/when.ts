/** A time of an input of type datetime-local, in the viewer's zone, as RFC 3339; empty where it is none. */
export function instant(local: string): string {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}
