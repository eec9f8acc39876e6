import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask, once } from "../api/client";
import type { Tenant } from "../api/types";
import { labelsOf } from "../tenants/draft";
import { useAct } from "../shell/act";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { Query } from "../show/query";
import { PlanOptions } from "../tenants/plan";
import { Why } from "../tenants/placement";
import { GuardForm } from "./guardform";
import { useTenant } from "./tenant";

/** What is written down about a tenant, and can be changed. */
export function TenantSettings() {
  const tenant = useTenant();
  return (
    <div className="two">
      <Box title="About it">
        <About key={tenant.revision} tenant={tenant} />
      </Box>
      <div>
        <Box title="Plan">
          <PlanForm tenant={tenant} />
        </Box>
        <Box title="Visitors">
          <GuardForm key={tenant.revision} tenant={tenant} />
        </Box>
        <Box title="Placement">
          <Where name={tenant.name} />
        </Box>
      </div>
    </div>
  );
}

function About({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const policies = useQuery({ queryKey: ["policies"], queryFn: () => ask(api.GET("/v1/policies")) });
  const [name, setName] = useState(tenant.display_name ?? "");
  const [contact, setContact] = useState(tenant.contact ?? "");
  const [policy, setPolicy] = useState(tenant.policy ?? "");
  const [zone, setZone] = useState(tenant.time_zone ?? "");
  const [window, setWindow] = useState(tenant.window ?? "");
  const [labels, setLabels] = useState(() => written(tenant.labels));
  const save = async () => {
    const wanted = labelsOf(labels);
    // An empty value takes a label away.
    const gone = Object.fromEntries(Object.keys(tenant.labels).filter((key) => !(key in wanted)).map((key) => [key, ""]));
    const body = { display_name: name, contact, policy, time_zone: zone, window, labels: { ...wanted, ...gone } };
    await act(`Save ${tenant.name}`, () => ask(api.PATCH("/v1/tenants/{name}", { params: { path: { name: tenant.name } }, body })));
    await queries.invalidateQueries({ queryKey: ["tenant", tenant.name] });
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Field label="Customer">{(p) => <input {...p} type="text" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
      <Field label="Contact">{(p) => <input {...p} type="text" value={contact} onChange={(e) => setContact(e.target.value)} />}</Field>
      <Field label="Labels" help="KEY=VALUE, several with spaces between them.">
        {(p) => <input {...p} type="text" value={labels} onChange={(e) => setLabels(e.target.value)} />}
      </Field>
      <Field label="Policy" help="When it is snapshotted and backed up.">
        {(p) => (
          <select {...p} value={policy} onChange={(e) => setPolicy(e.target.value)}>
            <option value="">None</option>
            {policies.data?.items.map((item) => (
              <option key={item.name}>{item.name}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Time zone" help="That its policy is read in, such as Europe/Berlin; the policy’s where it is empty.">
        {(p) => <input {...p} type="text" value={zone} onChange={(e) => setZone(e.target.value)} />}
      </Field>
      <Field label="Window" help="When it may be worked on by itself, as planned moves are: 02:00-05:00, or sat,sun 22:30-04:00.">
        {(p) => <input {...p} type="text" value={window} onChange={(e) => setWindow(e.target.value)} />}
      </Field>
      <button className="p-button--positive" disabled={busy}>
        Save
      </button>
    </form>
  );
}

function written(labels: Record<string, string>): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(" ");
}

function PlanForm({ tenant }: { tenant: Tenant }) {
  const { busy, act } = useAct();
  const [plan, setPlan] = useState(tenant.plan);
  const params = { path: { name: tenant.name }, header: once() };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void act(`Resize ${tenant.name}`, () => ask(api.POST("/v1/tenants/{name}/resize", { params, body: { plan } })));
      }}
    >
      <Field label="Plan" help="CPU, memory, processes and disk; changed while it runs.">
        {(p) => (
          <select {...p} value={plan} onChange={(e) => setPlan(e.target.value)}>
            <PlanOptions />
          </select>
        )}
      </Field>
      <button disabled={busy || plan === tenant.plan}>Resize</button>
    </form>
  );
}

function Where({ name }: { name: string }) {
  const explanation = useQuery({
    queryKey: ["tenant", name, "placement"],
    queryFn: ({ signal }) => ask(api.POST("/v1/placement/explain", { body: { tenant: name }, signal })),
  });
  return (
    <>
      <p className="u-text--muted">Where it would be placed, were it placed now.</p>
      <Query query={explanation}>{(data) => <Why explanation={data} />}</Query>
    </>
  );
}
