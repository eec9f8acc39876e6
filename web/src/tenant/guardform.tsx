import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Tenant } from "../api/types";
import { useAct } from "../shell/act";
import { Field } from "../show/field";
import { draftOf, editOf, type GuardDraft } from "./guard";

/** What a tenant's visitors may do. */
export function GuardForm({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const [draft, setDraft] = useState<GuardDraft>(() => draftOf(tenant.guard));
  const params = { path: { name: tenant.name } };
  const set = (change: Partial<GuardDraft>) => setDraft({ ...draft, ...change });
  const run = async (title: string, change: () => Promise<unknown>) => {
    await act(title, change);
    await queries.invalidateQueries({ queryKey: ["tenant", tenant.name] });
  };
  const field = (key: Exclude<keyof GuardDraft, "headers">, label: string, help: string, number = false) => (
    <Field label={label} help={help}>
      {(p) => <input {...p} type={number ? "number" : "text"} {...(number ? { min: 0, step: "any" } : {})} value={draft[key]} onChange={(e) => set({ [key]: e.target.value })} />}
    </Field>
  );
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void run(`Guard ${tenant.name}`, () => ask(api.PATCH("/v1/tenants/{name}/guard", { params, body: editOf(draft) })));
      }}
    >
      {field("allow", "Let in only", "Networks such as 203.0.113.0/24; everybody where it is empty.")}
      {field("deny", "Keep out", "Networks.")}
      <div className="pair">
        {field("rate", "Requests each second", "Of all visitors together.", true)}
        {field("burst", "At once", "A second’s worth where it is empty.", true)}
        {field("addressRate", "Of one address", "Each second.", true)}
        {field("addressBurst", "At once", "Of one address.", true)}
        {field("inFlight", "Under way at once", "Requests with the tenant.", true)}
        {field("body", "Largest upload", "Such as 2GiB.")}
      </div>
      {field("hsts", "By HTTPS only", "How long browsers are told so, such as 1y,subdomains.")}
      <label className="tick">
        <input type="checkbox" checked={draft.headers} onChange={(e) => set({ headers: e.target.checked })} />
        Add common security headers to answers
      </label>
      <div className="tools">
        <button className="p-button--positive" disabled={busy}>
          Save
        </button>
        {tenant.guard !== undefined && (
          <button type="button" disabled={busy} onClick={() => void run("Take all rules away", () => ask(api.DELETE("/v1/tenants/{name}/guard", { params })))}>
            No rules
          </button>
        )}
      </div>
    </form>
  );
}
