import { Problem, Unreachable } from "../api/problem";
import type { ProblemDocument } from "../api/types";

/** Posts JSON without a session, and gives the answer or throws its Problem. */
export async function send(address: string, body: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Unreachable();
  }
  const answer: unknown = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Problem(answer as ProblemDocument, response.status);
  return answer;
}
