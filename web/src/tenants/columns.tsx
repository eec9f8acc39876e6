import { Link } from "react-router";

import type { Tenant } from "../api/types";
import { safe } from "../show/address";
import { Labels } from "../show/facts";
import type { Column } from "../show/rows";
import { TenantState } from "../show/state";
import { Ago } from "../show/time";

/** All columns there are for tenants. */
export const columns: readonly Column<Tenant>[] = [
  { key: "name", title: "Name", width: "14rem", sort: (t) => t.name, show: (t) => <Link to={`/tenants/${t.name}`}>{t.name}</Link> },
  { key: "status", title: "Status", width: "9rem", sort: (t) => t.status, show: (t) => <TenantState tenant={t} /> },
  { key: "customer", title: "Customer", width: "11rem", minor: true, sort: (t) => t.display_name ?? "", show: (t) => t.display_name },
  { key: "domain", title: "Domain", width: "15rem", minor: true, sort: (t) => t.domains[0] ?? "", show: (t) => <Domain tenant={t} /> },
  { key: "image", title: "Image", width: "11rem", minor: true, sort: (t) => t.image, show: (t) => t.image },
  { key: "plan", title: "Plan", width: "7rem", minor: true, sort: (t) => t.plan, show: (t) => t.plan },
  { key: "member", title: "Member", width: "8rem", minor: true, sort: (t) => t.location ?? "", show: (t) => t.location },
  { key: "address", title: "IP address", width: "9rem", minor: true, sort: (t) => t.address ?? "", show: (t) => <span className="mono">{t.address}</span> },
  { key: "policy", title: "Policy", width: "8rem", minor: true, sort: (t) => t.policy ?? "", show: (t) => t.policy },
  { key: "labels", title: "Labels", minor: true, show: (t) => <Labels labels={t.labels} /> },
  { key: "contact", title: "Contact", minor: true, sort: (t) => t.contact ?? "", show: (t) => t.contact },
  { key: "created", title: "Created", width: "9rem", minor: true, sort: (t) => t.created_at, show: (t) => <Ago at={t.created_at} /> },
];

/** The columns that are shown where nobody chose any. */
export const usual: readonly string[] = ["name", "status", "customer", "domain", "image", "plan", "member", "created"];

function Domain({ tenant }: { tenant: Tenant }) {
  const domain = tenant.domains[0];
  if (domain === undefined) return null;
  return (
    <>
      {tenant.url === undefined ? domain : <a href={safe(tenant.url)} target="_blank" rel="noreferrer">{domain}</a>}
      {tenant.domains.length > 1 && <span className="u-text--muted"> +{tenant.domains.length - 1}</span>}
    </>
  );
}
