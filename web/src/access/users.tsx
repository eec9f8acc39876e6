import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Role, User } from "../api/types";
import { words } from "../tenants/draft";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { Menu } from "../show/menu";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { State } from "../show/state";
import { Ago } from "../show/time";
import { Secret } from "./secret";

const roles: readonly Role[] = ["admin", "operator", "viewer", "client"];
const usersQuery = { queryKey: ["users"], queryFn: () => ask(api.GET("/v1/users")) };

/** Who may log in, and as what. */
export function Users() {
  const users = useQuery(usersQuery);
  const [link, setLink] = useState<string>();
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Users"
      actions={
        <button className="p-button--positive" onClick={() => setAdding(true)}>
          Add user
        </button>
      }
    >
      {link !== undefined && <Secret title="A link for the user’s first password, good once. It is shown only now." text={link} onClose={() => setLink(undefined)} />}
      {adding && <Add onLink={setLink} onClose={() => setAdding(false)} />}
      <Query query={users}>
        {({ items }) =>
          items.length === 0 ? (
            <Nothing title="No users yet" />
          ) : (
            <ul className="line">
              {items.map((user) => (
                <One key={user.name} user={user} onLink={setLink} />
              ))}
            </ul>
          )
        }
      </Query>
    </Page>
  );
}

function useChange() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const change = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    await queries.invalidateQueries({ queryKey: ["users"] });
    return taken;
  };
  return { busy, change };
}

function One({ user, onLink }: { user: User; onLink: (link: string) => void }) {
  const { busy, change } = useChange();
  const [asking, setAsking] = useState(false);
  const params = { path: { user: user.name } };
  const newLink = async () => onLink((await ask(api.POST("/v1/users/{user}/link", { params }))).link);
  return (
    <li>
      <i className="p-icon--user" aria-hidden="true" />
      <div>
        <strong>{user.display_name ?? user.name}</strong> {user.display_name !== undefined && <span className="u-text--muted">{user.name} </span>}
        {user.disabled && <State tone="warn">disabled</State>}
        <p>
          {user.role}
          {user.tenants.length > 0 && ` of ${user.tenants.join(", ")}`} · {user.totp ? "one-time codes" : "no one-time codes"} · seen <Ago at={user.last_seen_at} />
        </p>
      </div>
      <div className="line__actions">
        <select
          aria-label={`Role of ${user.name}`}
          disabled={busy}
          value={user.role}
          onChange={(e) => void change(`Role of ${user.name}`, () => ask(api.PATCH("/v1/users/{user}", { params, body: { role: e.target.value as Role } })))}
        >
          {roles.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </select>
        <Menu label="More">
          <button type="button" onClick={() => void change(`New link for ${user.name}`, newLink)}>
            New password link
          </button>
          <button type="button" onClick={() => void change(`End the sessions of ${user.name}`, () => ask(api.DELETE("/v1/users/{user}/sessions", { params })))}>
            End all sessions
          </button>
          {user.totp && (
            <button type="button" onClick={() => void change(`Remove the codes of ${user.name}`, () => ask(api.DELETE("/v1/users/{user}/totp", { params })))}>
              Ask for no codes
            </button>
          )}
          <button type="button" onClick={() => void change(user.name, () => ask(api.PATCH("/v1/users/{user}", { params, body: { disabled: !user.disabled } })))}>
            {user.disabled ? "Enable" : "Disable"}
          </button>
          <button type="button" onClick={() => setAsking(true)}>
            Delete
          </button>
        </Menu>
      </div>
      {asking && (
        <Confirm title={`Delete ${user.name}?`} verb="Delete" type={user.name} onClose={() => setAsking(false)} onConfirm={() => change(`Delete ${user.name}`, () => ask(api.DELETE("/v1/users/{user}", { params })))}>
          <p>Sessions and tokens of this user end at once. What was done stays in the audit log.</p>
        </Confirm>
      )}
    </li>
  );
}

function Add({ onLink, onClose }: { onLink: (link: string) => void; onClose: () => void }) {
  const { busy, change } = useChange();
  const [name, setName] = useState("");
  const [display, setDisplay] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [tenants, setTenants] = useState("");
  const add = async () => {
    const body = { name, role, ...(display === "" ? {} : { display_name: display }), ...(role === "client" ? { tenants: words(tenants) } : {}) };
    const taken = await change(`Add ${name}`, async () => onLink((await ask(api.POST("/v1/users", { body }))).link));
    if (taken) onClose();
  };
  return (
    <Box title="Add a user">
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void add();
        }}
      >
        <Field label="Name" help="What is typed at the login.">
          {(p) => <input {...p} type="text" autoFocus autoComplete="off" value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label="Display name">{(p) => <input {...p} type="text" value={display} onChange={(e) => setDisplay(e.target.value)} />}</Field>
        <Field label="Role" help="Admin may all; operator runs tenants and members; viewer looks; client restarts, snapshots and restores its own tenants.">
          {(p) => (
            <select {...p} value={role} onChange={(e) => setRole(e.target.value as Role)}>
              {roles.map((r) => (
                <option key={r}>{r}</option>
              ))}
            </select>
          )}
        </Field>
        {role === "client" && <Field label="Tenants">{(p) => <input {...p} type="text" value={tenants} onChange={(e) => setTenants(e.target.value)} />}</Field>}
        <button className="p-button--positive" disabled={busy || name === ""}>
          Add
        </button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Box>
  );
}
