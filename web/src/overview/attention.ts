import type { Finding, Job, Member, Tenant } from "../api/types";

/** Something that a person should look at. */
export interface Concern {
  /** Unique among concerns. */
  key: string;
  bad: boolean;
  title: string;
  text: string;
  /** The page where it is seen. */
  to: string;
}

interface Fleet {
  members: readonly Member[];
  tenants: readonly Tenant[];
  stuck: readonly Job[];
  findings: readonly Finding[];
}

/** What needs attention first: the worst first, and of the same kind by name. */
export function concerns({ members, tenants, stuck, findings }: Fleet): Concern[] {
  const all: Concern[] = [];
  for (const member of members) {
    if (!member.online) all.push({ key: `member ${member.name}`, bad: true, title: member.name, text: `member is ${member.status.toLowerCase()}`, to: `/members/${member.name}` });
    else if (member.level.pool >= 85) all.push({ key: `pool ${member.name}`, bad: member.level.pool >= 95, title: member.name, text: `pool is ${member.level.pool.toFixed(0)} % full`, to: `/members/${member.name}` });
  }
  for (const job of stuck) all.push({ key: `job ${job.id}`, bad: true, title: job.kind, text: `stuck for ${job.subject}: ${job.error ?? ""}`, to: `/jobs/${job.id}` });
  for (const tenant of tenants) {
    const to = `/tenants/${tenant.name}`;
    if (tenant.problem !== undefined) all.push({ key: to, bad: true, title: tenant.name, text: tenant.problem, to });
    else if (tenant.status === "unhealthy" || tenant.status === "missing") all.push({ key: to, bad: true, title: tenant.name, text: `tenant is ${tenant.status}`, to });
    else if ((tenant.pending_domains?.length ?? 0) > 0) all.push({ key: to, bad: false, title: tenant.name, text: `not proven yet: ${tenant.pending_domains?.join(", ") ?? ""}`, to: `${to}/domains` });
  }
  for (const finding of findings) {
    if (finding.state !== "ok") all.push({ key: `finding ${finding.check}`, bad: finding.state === "fail", title: finding.check, text: finding.message, to: "/settings" });
  }
  return all.sort((a, b) => Number(b.bad) - Number(a.bad));
}
