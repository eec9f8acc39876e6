import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";

import { api, ask } from "../api/client";
import { useAct } from "../shell/act";
import { Page } from "../shell/page";
import { session } from "../shell/session";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { Query } from "../show/query";
import { Ago } from "../show/time";

const QR = lazy(() => import("./qr"));

/** One's own password, one-time codes and sessions. */
export function Account() {
  const { data: who } = useQuery(session);
  if (who?.kind !== "session") return <Page title="Account">You are here without a login.</Page>;
  return (
    <Page title={who.display_name ?? who.user}>
      <div className="two">
        <Box title="Password">
          <Password />
        </Box>
        <Box title="One-time codes">{who.totp ? <RemoveCodes /> : <AddCodes />}</Box>
      </div>
      <Box title="Sessions">
        <Sessions />
      </Box>
    </Page>
  );
}

// Each of these gives a new session, with a new token against forged requests.
function useRenew() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const renew = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    if (taken) await queries.invalidateQueries({ queryKey: session.queryKey });
    return taken;
  };
  return { busy, renew };
}

function Password() {
  const { busy, renew } = useRenew();
  const [old, setOld] = useState("");
  const [password, setPassword] = useState("");
  const change = async () => {
    if (!(await renew("Change the password", () => ask(api.PUT("/v1/session/password", { body: { old, password } }))))) return;
    setOld("");
    setPassword("");
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void change();
      }}
    >
      <Field label="Present password">{(p) => <input {...p} type="password" autoComplete="current-password" value={old} onChange={(e) => setOld(e.target.value)} />}</Field>
      <Field label="New password" help="12 characters at least. All your other sessions end.">
        {(p) => <input {...p} type="password" autoComplete="new-password" value={password} onChange={(e) => setPassword(e.target.value)} />}
      </Field>
      <button disabled={busy || old === "" || password === ""}>Change</button>
    </form>
  );
}

function AddCodes() {
  const { busy, renew } = useRenew();
  const { act } = useAct();
  const [offer, setOffer] = useState<{ secret: string; address: string }>();
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  if (offer === undefined) {
    return (
      <>
        <p>With them a password alone is not enough to log in.</p>
        <button onClick={() => void act("Make a secret", async () => setOffer(await ask(api.POST("/v1/session/totp"))))}>Set up</button>
      </>
    );
  }
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void renew("Ask for codes", () => ask(api.PUT("/v1/session/totp", { body: { secret: offer.secret, code, password } })));
      }}
    >
      <p>Read this with your authenticator, or type the secret; then enter the code that it shows.</p>
      <Suspense fallback={null}>
        <QR text={offer.address} label="The secret as a QR code" />
      </Suspense>
      <p className="mono">{offer.secret}</p>
      <Field label="Code">{(p) => <input {...p} type="text" inputMode="numeric" autoComplete="one-time-code" value={code} onChange={(e) => setCode(e.target.value)} />}</Field>
      <Field label="Password">{(p) => <input {...p} type="password" autoComplete="current-password" value={password} onChange={(e) => setPassword(e.target.value)} />}</Field>
      <button disabled={busy || code === "" || password === ""}>Confirm</button>
    </form>
  );
}

function RemoveCodes() {
  const { busy, renew } = useRenew();
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void renew("Ask for no codes", () => ask(api.POST("/v1/session/totp/remove", { body: { password } })));
      }}
    >
      <p>They are asked for at each login.</p>
      <Field label="Password">{(p) => <input {...p} type="password" autoComplete="current-password" value={password} onChange={(e) => setPassword(e.target.value)} />}</Field>
      <button disabled={busy || password === ""}>Ask for no codes any more</button>
    </form>
  );
}

function Sessions() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => ask(api.GET("/v1/sessions")) });
  const end = async (id: string) => {
    await act("End the session", () => ask(api.DELETE("/v1/sessions/{id}", { params: { path: { id } } })));
    await queries.invalidateQueries({ queryKey: ["sessions"] });
  };
  return (
    <Query query={sessions}>
      {({ items }) => (
        <ul className="line">
          {items.map((item) => (
            <li key={item.id}>
              <i className="p-icon--user" aria-hidden="true" />
              <div>
                <strong>{item.address}</strong> {item.current && "(this one)"}
                <p>
                  {item.user_agent} · seen <Ago at={item.seen_at} /> · ends <Ago at={item.expires_at} />
                </p>
              </div>
              <div className="line__actions">
                {!item.current && (
                  <button disabled={busy} onClick={() => void end(item.id)}>
                    End
                  </button>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
    </Query>
  );
}
