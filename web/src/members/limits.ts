/** How moves are held back, as the fields have it. */
export interface LimitsDraft {
  atOnce: string;
  limit: string;
  hold: string;
}

/** Nothing said: the daemon's own limits. */
export const unlimited: LimitsDraft = { atOnce: "", limit: "", hold: "" };

/** The limits as the API takes them; what is empty is left to the daemon. */
export function limitsOf(draft: LimitsDraft): { at_once?: number; limit?: string; max_hold?: string } {
  return {
    ...(draft.atOnce === "" ? {} : { at_once: Number(draft.atOnce) }),
    ...(draft.limit.trim() === "" ? {} : { limit: draft.limit.trim() }),
    ...(draft.hold.trim() === "" ? {} : { max_hold: draft.hold.trim() }),
  };
}
