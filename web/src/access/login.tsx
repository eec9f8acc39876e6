import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import { Problem, asError } from "../api/problem";
import { session } from "../shell/session";
import { Field } from "../show/field";
import { Failure, sentence } from "../show/nothing";
import { Gate } from "./gate";
import { send } from "./send";

// Why the provider sent somebody back without a session: the daemon says no more than this.
const lost: Record<string, string> = {
  refused: "You are known there, but not let in here. Ask an admin.",
  failed: "That login did not work. Try again.",
  wait: "Too many logins failed. Wait a few minutes.",
  unavailable: "The other service does not answer. Try again, or log in with name and password.",
};

const ways = { queryKey: ["session", "ways"], queryFn: () => ask(api.GET("/v1/login")) };

/** The way in by an OpenID provider, where there is one. */
function Elsewhere() {
  const { data } = useQuery(ways);
  const why = lost[new URLSearchParams(location.search).get("login") ?? ""];
  return (
    <>
      {why !== undefined && (
        <p className="wrong" role="alert">
          {why}
        </p>
      )}
      {data?.openid !== undefined && (
        <a className="p-button" href={data.openid.address}>
          Sign in with {data.openid.name}
        </a>
      )}
    </>
  );
}

/** Asks who it is; afterwards the page that was asked for is shown. */
export function Login() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [wantsCode, setWantsCode] = useState(false);
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const login = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await send("/v1/session", { name, password, ...(wantsCode ? { code } : {}) });
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" }); // another one's
      await queries.invalidateQueries({ queryKey: session.queryKey });
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.field === "code" && !wantsCode) setWantsCode(true);
      else setError(asError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Gate title="Log in">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void login();
        }}
      >
        <Field label="Name">{(p) => <input {...p} type="text" autoFocus autoComplete="username" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
        <Field label="Password">
          {(p) => <input {...p} type="password" autoComplete="current-password" value={password} onChange={(e) => setPassword(e.target.value)} />}
        </Field>
        {wantsCode && (
          <Field label="Code" help="The six digits that your phone shows.">
            {(p) => <input {...p} type="text" inputMode="numeric" autoComplete="one-time-code" autoFocus value={code} onChange={(e) => setCode(e.target.value)} />}
          </Field>
        )}
        {error !== undefined && (error instanceof Problem && error.status === 401 ? <p className="wrong" role="alert">{sentence(error.message)}</p> : <Failure error={error} />)}
        <button className="p-button--positive" disabled={busy || name === "" || password === ""}>
          Log in
        </button>
      </form>
      <Elsewhere />
    </Gate>
  );
}
