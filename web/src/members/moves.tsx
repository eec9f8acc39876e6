import type { MovePlan } from "../api/types";
import { bytes, count, percent, span } from "../show/format";
import { Nothing } from "../show/nothing";
import { Rows, type Column } from "../show/rows";
import { Link } from "react-router";

type Move = MovePlan["moves"][number];
type After = MovePlan["members"][number];

const moveColumns: readonly Column<Move>[] = [
  { key: "tenant", title: "Tenant", sort: (m) => m.tenant, show: (m) => <Link to={`/tenants/${m.tenant}`}>{m.tenant}</Link> },
  { key: "from", title: "From", sort: (m) => m.from, show: (m) => m.from },
  { key: "to", title: "To", sort: (m) => m.to, show: (m) => m.to },
  { key: "bytes", title: "Copies", minor: true, sort: (m) => m.bytes, show: (m) => bytes(m.bytes) },
  { key: "hold", title: "Requests wait", minor: true, show: (m) => span(m.hold) },
  { key: "why", title: "Why", minor: true, show: (m) => m.why },
];

const memberColumns: readonly Column<After>[] = [
  { key: "member", title: "Member", show: (m) => m.member },
  { key: "tenants", title: "Tenants", show: (m) => change(m.before.tenants, m.after.tenants, String) },
  { key: "memory", title: "Memory promised", minor: true, show: (m) => change(m.before.memory, m.after.memory, percent) },
  { key: "disk", title: "Disk promised", minor: true, show: (m) => change(m.before.disk, m.after.disk, percent) },
  { key: "pool", title: "Pool", show: (m) => change(m.before.pool, m.after.pool, percent) },
];

function change(before: number, after: number, text: (n: number) => string): string {
  return before === after ? text(after) : `${text(before)} → ${text(after)}`;
}

/** A plan of moves: what goes where, what stays, and how members are afterwards. */
export function Moves({ plan, nothing }: { plan: MovePlan; nothing: string }) {
  if (plan.moves.length === 0 && plan.left.length === 0) return <p>{nothing}</p>;
  return (
    <>
      <p>
        {count(plan.moves.length, "move")}, {bytes(plan.bytes)} to copy; requests wait {span(plan.hold)} in all, one tenant after another.
      </p>
      <Rows label="Moves" tall={plan.moves.length > 50} rows={plan.moves} columns={moveColumns} id={(m) => m.tenant} empty={<Nothing title="No moves" />} />
      {plan.left.length > 0 && (
        <>
          <p>These stay:</p>
          <ul>
            {plan.left.map((left) => (
              <li key={left.tenant}>
                {left.tenant} on {left.member} {left.why}
              </li>
            ))}
          </ul>
        </>
      )}
      <Rows label="Members before and after" rows={plan.members} columns={memberColumns} id={(m) => m.member} empty={<Nothing title="No members" />} />
    </>
  );
}
