import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Role, Token } from "../api/types";
import { words } from "../tenants/draft";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { Ago } from "../show/time";
import { Secret } from "./secret";

const tokensQuery = { queryKey: ["tokens"], queryFn: () => ask(api.GET("/v1/tokens")) };
const lives = [
  ["720h", "30 days"],
  ["2160h", "90 days"],
  ["8760h", "a year"],
  ["", "until it is deleted"],
] as const;

/** Tokens for scripts. */
export function Tokens() {
  const tokens = useQuery(tokensQuery);
  const [secret, setSecret] = useState<string>();
  const [adding, setAdding] = useState(false);
  const [going, setGoing] = useState<Token>();
  const queries = useQueryClient();
  const { act } = useAct();
  const remove = async (token: Token) => {
    const taken = await act(`Delete ${token.name}`, () => ask(api.DELETE("/v1/tokens/{id}", { params: { path: { id: token.id } } })));
    await queries.invalidateQueries({ queryKey: tokensQuery.queryKey });
    return taken;
  };
  const columns: readonly Column<Token>[] = [
    { key: "name", title: "Name", sort: (t) => t.name, show: (t) => t.name },
    { key: "owner", title: "Owner", sort: (t) => t.owner, show: (t) => t.owner },
    { key: "role", title: "Role", width: "7rem", sort: (t) => t.role, show: (t) => t.role },
    { key: "tenants", title: "Only for", minor: true, show: (t) => t.tenants.join(", ") },
    { key: "used", title: "Last used", minor: true, sort: (t) => t.last_used_at ?? "", show: (t) => <Ago at={t.last_used_at} /> },
    { key: "expires", title: "Ends", minor: true, sort: (t) => t.expires_at ?? "z", show: (t) => (t.expires_at === undefined ? "never" : <Ago at={t.expires_at} />) },
    { key: "delete", title: "", width: "7rem", show: (t) => <button className="p-button is-small is-inline" onClick={() => setGoing(t)}>Delete</button> },
  ];
  return (
    <Page
      title="Tokens"
      actions={
        <button className="p-button--positive" onClick={() => setAdding(true)}>
          Make a token
        </button>
      }
    >
      {secret !== undefined && <Secret title="The token. It is shown only now." text={secret} onClose={() => setSecret(undefined)} />}
      {adding && <Add onSecret={setSecret} onClose={() => setAdding(false)} />}
      <Query query={tokens}>
        {({ items }) => <Rows label="Tokens" rows={items} columns={columns} id={(t) => t.id} empty={<Nothing title="No tokens">Scripts use the API with one.</Nothing>} />}
      </Query>
      {going !== undefined && (
        <Confirm title={`Delete the token ${going.name}?`} verb="Delete" type={going.name} onClose={() => setGoing(undefined)} onConfirm={() => remove(going)}>
          <p>What uses it is refused from now on.</p>
        </Confirm>
      )}
    </Page>
  );
}

function Add({ onSecret, onClose }: { onSecret: (secret: string) => void; onClose: () => void }) {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role | "">("");
  const [tenants, setTenants] = useState("");
  const [life, setLife] = useState<string>(lives[0][0]);
  const add = async () => {
    const only = words(tenants);
    const body = { name, ...(role === "" ? {} : { role }), ...(only.length === 0 ? {} : { tenants: only }), ...(life === "" ? {} : { expires_in: life }) };
    const taken = await act(`Make the token ${name}`, async () => onSecret((await ask(api.POST("/v1/tokens", { body }))).secret));
    await queries.invalidateQueries({ queryKey: tokensQuery.queryKey });
    if (taken) onClose();
  };
  return (
    <Box title="Make a token">
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void add();
        }}
      >
        <Field label="Name" help="What it is for.">
          {(p) => <input {...p} type="text" autoFocus value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label="Role">
          {(p) => (
            <select {...p} value={role} onChange={(e) => setRole(e.target.value as Role | "")}>
              <option value="">as its owner</option>
              {(["admin", "operator", "viewer", "client"] as const).map((r) => (
                <option key={r}>{r}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Only for these tenants" help="All that its owner may, where none is given.">
          {(p) => <input {...p} type="text" value={tenants} onChange={(e) => setTenants(e.target.value)} />}
        </Field>
        <Field label="It is good">
          {(p) => (
            <select {...p} value={life} onChange={(e) => setLife(e.target.value)}>
              {lives.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button className="p-button--positive" disabled={busy || name === ""}>
          Make
        </button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Box>
  );
}
