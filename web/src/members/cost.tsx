import type { MovePlan } from "../api/types";
import { Facts } from "../show/facts";
import { bytes, count, span } from "../show/format";

/** A plan of moves in short: what is asked for before it is carried out. */
export function Cost({ plan }: { plan: MovePlan }) {
  const most = 6;
  const names = plan.moves.map((move) => `${move.tenant} to ${move.to}`);
  return (
    <Facts
      facts={[
        ["Moves", `${names.slice(0, most).join(", ")}${names.length > most ? ` and ${names.length - most} more` : ""}`],
        ["To copy", bytes(plan.bytes)],
        ["Requests wait", `${span(plan.hold)} in all, each tenant’s on its own`],
        ["Stay", plan.left.length > 0 && `${count(plan.left.length, "tenant")}: ${plan.left.map((left) => left.tenant).join(", ")}`],
      ]}
    />
  );
}
