// What the client must know of the session, apart from it: the token that goes with each
// change, and whom to tell that the session has ended.
let token = "";
const listeners = new Set<() => void>();

/** The session's token against forged requests; empty where none is needed. */
export function csrf(): string {
  return token;
}

/** Sets the token of the session there is now. */
export function setCsrf(value: string | undefined): void {
  token = value ?? "";
}

/** Tells everybody who listens that the session is no longer good. */
export function ended(): void {
  for (const listener of listeners) listener();
}

/** Calls listener when the session has ended, until the function it gives is called. */
export function onEnded(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
