export interface Window {
  first: number;
  /** One past the last. */
  end: number;
}

/**
 * The rows of one height that are in sight, some more on both sides, and none where there are
 * none.
 */
export function inSight(rows: number, height: number, top: number, view: number, more = 12): Window {
  const first = Math.max(0, Math.min(rows, Math.floor(top / height)) - more);
  const end = Math.min(rows, Math.ceil((top + view) / height) + more);
  return { first, end: Math.max(first, end) };
}
