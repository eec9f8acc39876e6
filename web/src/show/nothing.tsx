import type { ReactNode } from "react";

import { Problem, Unreachable } from "../api/problem";
import { capital } from "./format";

/** What stands where there is nothing to show, and what to do about it. */
export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="nothing">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <div className="nothing" role="status">
      <i className="p-icon--spinner u-animation--spin" aria-hidden="true" /> {what}…
    </div>
  );
}

/** What went wrong, in the daemon's words, with its hint. */
export function Failure({ error, again }: { error: Error; again?: (() => unknown) | undefined }) {
  const hint = error instanceof Problem ? error.hint : undefined;
  return (
    <div className="p-notification--negative" role="alert">
      <div className="p-notification__content">
        <h2 className="p-notification__title">{error instanceof Unreachable ? "No connection" : "That did not work"}</h2>
        <p className="p-notification__message">
          {sentence(error.message)}
          {hint !== undefined && <> {sentence(hint)}</>}
        </p>
        {again !== undefined && (
          <button className="p-button is-small" onClick={() => void again()}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

/** Begins large and ends with a full stop. */
export function sentence(text: string): string {
  const first = capital(text);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
