import type { ReactNode } from "react";

import type { Member } from "../api/types";
import { Box } from "../show/box";
import { bytes, count } from "../show/format";
import { Meter } from "../show/meter";
import { State, type Tone } from "../show/state";

/** The colour of a member's state. */
export function memberTone(member: Member): Tone {
  if (!member.online) return "bad";
  return member.cordoned ? "warn" : "good";
}

/** What a member is like now, in a word. */
export function memberWord(member: Member): string {
  return member.cordoned && member.online ? "Cordoned" : member.status;
}

/** A member: whether it is there, and how full. */
export function MemberCard({ member, children }: { member: Member; children?: ReactNode }) {
  return (
    <Box title={member.name}>
      <p>
        <State tone={memberTone(member)}>{memberWord(member)}</State>{" "}
        <span className="u-text--muted">
          {count(member.tenants, "tenant")}
          {member.reason !== undefined && `, ${member.reason}`}
        </span>
      </p>
      <Levels member={member} />
      {children}
    </Box>
  );
}

/** How full a member is. */
export function Levels({ member }: { member: Member }) {
  const { level } = member;
  const load = member.load === undefined || member.cpus === 0 ? undefined : (member.load / member.cpus) * 100;
  return (
    <div>
      <Meter name="Pool" value={level.pool} text={member.pool_total === 0 ? "not known" : `${bytes(member.pool_used)} of ${bytes(member.pool_total)}`} />
      <Meter name="Memory" value={level.memory_used} text={`${bytes(member.memory_used)} of ${bytes(member.memory_total)}`} />
      {load !== undefined && <Meter name="Load" value={load} text={`${member.load?.toFixed(1) ?? ""} on ${member.cpus} CPUs`} />}
      <Meter name="Promised" value={Math.max(level.cpu, level.memory, level.disk)} />
    </div>
  );
}
