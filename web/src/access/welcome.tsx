import { useEffect, useState } from "react";

import { asError } from "../api/problem";
import { Field } from "../show/field";
import { Failure, Loading } from "../show/nothing";
import { Gate } from "./gate";
import { send } from "./send";

interface Invited {
  user: string;
  display_name?: string;
}

// Read once, and taken out of the address: it must not stay in the browser's history.
function takeSecret(): string {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return secret;
}

/** Where a one-time link leads: its owner chooses a password. */
export function Welcome() {
  const [secret] = useState(takeSecret);
  const [invited, setInvited] = useState<Invited>();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState<Error>();
  useEffect(() => {
    send("/v1/links/check", { secret }).then(
      (answer) => setInvited(answer as Invited),
      (thrown: unknown) => setError(asError(thrown)),
    );
  }, [secret]);
  const choose = async () => {
    setError(undefined);
    try {
      await send("/v1/links/use", { secret, password });
      location.assign("/ui/");
    } catch (thrown) {
      setError(asError(thrown));
    }
  };
  const differs = again !== "" && again !== password;
  return (
    <Gate title={invited === undefined ? "Welcome" : `Welcome, ${invited.display_name ?? invited.user}`}>
      {invited === undefined && error === undefined && <Loading />}
      {invited !== undefined && (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            void choose();
          }}
        >
          <p>
            Choose a password. Your name here is <strong>{invited.user}</strong>.
          </p>
          <input className="u-off-screen" type="text" autoComplete="username" value={invited.user} readOnly tabIndex={-1} aria-hidden="true" />
          <Field label="Password">{(p) => <input {...p} type="password" autoFocus autoComplete="new-password" value={password} onChange={(e) => setPassword(e.target.value)} />}</Field>
          <Field label="Password again" wrong={differs ? "The two are not the same." : undefined}>
            {(p) => <input {...p} type="password" autoComplete="new-password" value={again} onChange={(e) => setAgain(e.target.value)} />}
          </Field>
          <button className="p-button--positive" disabled={password === "" || password !== again}>
            Set password
          </button>
        </form>
      )}
      {error !== undefined && <Failure error={error} />}
    </Gate>
  );
}
