import { Field } from "../show/field";
import type { LimitsDraft } from "./limits";

interface Props {
  draft: LimitsDraft;
  set: (draft: LimitsDraft) => void;
  /** A single move has nothing to do at once. */
  single?: boolean;
}

/** How many tenants move at once, how fast their copies go and how long requests may wait. */
export function LimitFields({ draft, set, single = false }: Props) {
  return (
    <div className="pair">
      {!single && (
        <Field label="At once" help="How many tenants move at a time, 32 at most.">
          {(p) => <input {...p} type="number" min={1} max={32} placeholder="3" value={draft.atOnce} onChange={(e) => set({ ...draft, atOnce: e.target.value })} />}
        </Field>
      )}
      <Field label="Copy at most, each second" help={single ? "Such as 50MiB, while it runs." : "Of each move, such as 50MiB, while the tenant runs."}>
        {(p) => <input {...p} type="text" placeholder="as fast as it goes" value={draft.limit} onChange={(e) => set({ ...draft, limit: e.target.value })} />}
      </Field>
      <Field label="Requests may wait" help="Such as 20s. Where more would be needed, the move is taken back.">
        {(p) => <input {...p} type="text" placeholder="as long as the proxy lets them" value={draft.hold} onChange={(e) => set({ ...draft, hold: e.target.value })} />}
      </Field>
    </div>
  );
}
