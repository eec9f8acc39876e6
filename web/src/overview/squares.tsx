import { Link } from "react-router";

import type { Tenant } from "../api/types";
import { count } from "../show/format";
import { tenantTone, type Tone } from "../show/state";

/** From this many on a square each would be no picture any more. */
const most = 240;

const tones: readonly Tone[] = ["bad", "warn", "busy", "good", "idle"];
const names: Record<Tone, string> = { bad: "in trouble", warn: "unknown", busy: "starting", good: "running", idle: "stopped" };

/** A member's tenants: a square each, coloured by health; their shares where they are many. */
export function Squares({ label, tenants }: { label: string; tenants: readonly Tenant[] }) {
  if (tenants.length === 0) return null;
  if (tenants.length > most) return <Shares label={label} tenants={tenants} />;
  return (
    <div className="squares" role="group" aria-label={label}>
      {tenants.map((tenant) => (
        <Link key={tenant.name} className={`tone-${tenantTone(tenant)}`} to={`/tenants/${tenant.name}`} title={`${tenant.name}: ${tenant.status}`} aria-label={`${tenant.name}: ${tenant.status}`} />
      ))}
    </div>
  );
}

function Shares({ label, tenants }: { label: string; tenants: readonly Tenant[] }) {
  const counts = new Map<Tone, number>();
  for (const tenant of tenants) {
    const tone = tenantTone(tenant);
    counts.set(tone, (counts.get(tone) ?? 0) + 1);
  }
  const shares = tones.filter((tone) => counts.has(tone));
  const text = shares.map((tone) => `${count(counts.get(tone) ?? 0, "tenant")} ${names[tone]}`).join(", ");
  return (
    <>
      <div className="shares" role="img" aria-label={`${label}: ${text}`}>
        {shares.map((tone) => (
          <span key={tone} className={`tone-${tone}`} style={{ flexGrow: counts.get(tone) ?? 0 }} />
        ))}
      </div>
      <p className="u-text--muted">{text}</p>
    </>
  );
}
