import { useState } from "react";

import { asError } from "../api/problem";
import { safe } from "../show/address";
import { Failure } from "../show/nothing";
import { Gate } from "./gate";
import { send } from "./send";

interface Shown {
  tenant: string;
  url?: string;
  text: string;
}

// Read once, and taken out of the address: it must not stay in the browser's history.
function takeSecret(): string {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return secret;
}

/** Where a one-time link to a tenant's first credentials leads. They are asked for by a press of
 * a button only: programs that look at links in mails press none. */
export function Credentials() {
  const [secret] = useState(takeSecret);
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<Error>();
  const show = async () => {
    setError(undefined);
    try {
      setShown((await send("/v1/links/credentials", { secret })) as Shown);
    } catch (thrown) {
      setError(asError(thrown));
    }
  };
  return (
    <Gate title={shown === undefined ? "First credentials" : `First credentials of ${shown.tenant}`}>
      {shown === undefined && (
        <>
          <p>They are shown once. Have a place ready to keep them, such as a password manager.</p>
          <button className="p-button--positive" autoFocus onClick={() => void show()}>
            Show them
          </button>
        </>
      )}
      {shown !== undefined && (
        <>
          {shown.url !== undefined && (
            <p>
              <a href={safe(shown.url)} rel="noreferrer">
                {shown.url}
              </a>
            </p>
          )}
          <pre className="mono">{shown.text}</pre>
          <button onClick={() => void navigator.clipboard.writeText(shown.text)}>Copy</button>
          <p>This page will not show them again.</p>
        </>
      )}
      {error !== undefined && <Failure error={error} />}
    </Gate>
  );
}
