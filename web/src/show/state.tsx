import type { Tenant } from "../api/types";

export type Tone = "good" | "busy" | "warn" | "bad" | "idle";

const tenantTones: Record<Tenant["status"], Tone> = {
  creating: "busy",
  starting: "busy",
  running: "good",
  unhealthy: "bad",
  stopped: "idle",
  "stopped-by-operator": "idle",
  missing: "bad",
  removed: "idle",
  unknown: "warn",
};

/** The colour of a tenant's status. */
export function tenantTone(tenant: Tenant): Tone {
  return tenant.problem === undefined ? tenantTones[tenant.status] : "bad";
}

const jobTones: Record<string, Tone> = {
  queued: "idle",
  running: "busy",
  undoing: "warn",
  done: "good",
  undone: "bad",
  cancelled: "idle",
  stuck: "bad",
};

/** A coloured dot and the word it stands for. */
export function State({ tone, live = false, children }: { tone: Tone; live?: boolean; children: string }) {
  return (
    <span className={`state tone-${tone} ${live ? "is-live" : ""}`}>
      <span className="dot" aria-hidden="true" />
      {children}
    </span>
  );
}

export function TenantState({ tenant }: { tenant: Tenant }) {
  const tone = tenantTone(tenant);
  return (
    <State tone={tone} live={tone === "busy" || tenant.job !== undefined}>
      {tenant.status}
    </State>
  );
}

export function JobState({ state }: { state: string }) {
  return (
    <State tone={jobTones[state] ?? "idle"} live={state === "running" || state === "undoing"}>
      {state}
    </State>
  );
}
