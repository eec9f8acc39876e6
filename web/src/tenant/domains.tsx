import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Domain } from "../api/types";
import { Dns } from "../tenants/dns";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Records } from "../show/records";
import { State, type Tone } from "../show/state";
import { Ago } from "../show/time";
import { domainsQuery } from "./query";
import { useTenant } from "./tenant";

const certificateTones: Record<string, Tone> = { none: "idle", ordering: "busy", valid: "good", failing: "bad" };

/** A tenant's domains: what DNS and their certificates say, and what to set. */
export function Domains() {
  const { name } = useTenant();
  const domains = useQuery(domainsQuery(name));
  const operator = useMay("operator");
  return (
    <>
      {operator && <Add name={name} />}
      <Query query={domains}>
        {({ items }) =>
          items.length === 0 ? (
            <Nothing title="No domains">
              <p>Without one nobody reaches the tenant.</p>
            </Nothing>
          ) : (
            <div className="cards">
              {items.map((domain) => (
                <One key={domain.domain} domain={domain} operator={operator} />
              ))}
            </div>
          )
        }
      </Query>
    </>
  );
}

function useChange() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const change = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    await queries.invalidateQueries({ queryKey: ["tenant"] });
    return taken;
  };
  return { busy, change };
}

function Add({ name }: { name: string }) {
  const [domain, setDomain] = useState("");
  const { busy, change } = useChange();
  const add = () => change(`Add ${domain}`, () => ask(api.POST("/v1/tenants/{name}/domains", { params: { path: { name } }, body: { domain } })));
  return (
    <>
    <form
      className="tools"
      onSubmit={(e) => {
        e.preventDefault();
        void add().then((taken) => {
          if (taken) setDomain("");
        });
      }}
    >
      <input type="text" style={{ maxWidth: "22rem" }} aria-label="New domain" placeholder="shop.example" value={domain} onChange={(e) => setDomain(e.target.value)} />
      <button disabled={busy || domain === ""}>Add domain</button>
    </form>
    {domain.includes(".") && <Dns domains={[domain.trim().toLowerCase()]} />}
    </>
  );
}

function One({ domain: listed, operator }: { domain: Domain; operator: boolean }) {
  // The list does not ask DNS; this does, which clients may not.
  const { data: domain = listed } = useQuery({
    enabled: useMay("viewer"),
    queryKey: ["tenant", listed.tenant, "domain", listed.domain],
    queryFn: ({ signal }) => ask(api.GET("/v1/domains/{domain}", { params: { path: { domain: listed.domain } }, signal })),
    refetchInterval: 30_000,
  });
  const { busy, change } = useChange();
  const [asking, setAsking] = useState(false);
  const params = { path: { domain: domain.domain } };
  const certificate = domain.certificate;
  return (
    <Box title={domain.unicode ?? domain.domain}>
      <Facts
        facts={[
          ["State", <State key="s" tone={domain.state === "active" ? "good" : "warn"}>{domain.state}</State>],
          ["Role", domain.primary ? "primary" : domain.redirect !== undefined ? `redirects (${domain.redirect}) to ${domain.target ?? "the primary one"}` : "served"],
          ["Certificate", certificate !== undefined && <State key="c" tone={certificateTones[certificate.state] ?? "idle"}>{certificate.state}</State>],
          ["Issuer", certificate?.issuer],
          ["Good until", certificate?.not_after !== undefined && <Ago key="u" at={certificate.not_after} />],
          ["Last order", certificate?.last_error],
          ["DNS", dnsOf(domain)],
          ["Proof", domain.check?.error],
        ]}
      />
      <ToSet domain={domain} />
      {operator && (
        <div className="tools">
          <button disabled={busy} onClick={() => void change(`Check ${domain.domain}`, () => ask(api.POST("/v1/domains/{domain}/check", { params })))}>
            Check now
          </button>
          {!domain.primary && (
            <button disabled={busy} onClick={() => void change(`Make ${domain.domain} primary`, () => ask(api.PATCH("/v1/domains/{domain}", { params, body: { primary: true } })))}>
              Make primary
            </button>
          )}
          <button disabled={busy} onClick={() => setAsking(true)}>
            Remove
          </button>
        </div>
      )}
      {asking && (
        <Confirm
          title={`Remove ${domain.domain}?`}
          verb="Remove"
          type={domain.domain}
          onClose={() => setAsking(false)}
          onConfirm={() => change(`Remove ${domain.domain}`, () => ask(api.DELETE("/v1/domains/{domain}", { params })))}
        >
          <p>{domain.tenant} is no longer reached by it, from now on.</p>
        </Confirm>
      )}
    </Box>
  );
}

function dnsOf(domain: Domain): string | undefined {
  if (domain.dns === undefined) return undefined;
  return domain.dns.error ?? [domain.dns.cname, ...domain.dns.addresses].filter((v) => v !== undefined && v !== "").join(", ");
}

function ToSet({ domain }: { domain: Domain }) {
  const operator = useMay("operator");
  if ((domain.to_set?.length ?? 0) === 0) {
    if (!operator || domain.dns?.error === undefined) return null;
    return (
      <p className="u-text--muted">
        What to set in DNS is told of public names, once the setting <span className="mono">domains.target</span> says where they are to lead.
      </p>
    );
  }
  return (
    <>
      <p>To set in DNS:</p>
      <Records records={domain.to_set ?? []} />
    </>
  );
}
