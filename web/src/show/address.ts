/** An address that a browser may follow; no other scheme than HTTP's becomes a link. */
export function safe(url: string): string | undefined {
  return /^https?:\/\//i.test(url) ? url : undefined;
}
