import createClient, { type Middleware } from "openapi-fetch";

import { Problem, Unreachable } from "./problem";
import type { paths } from "./schema.gen";
import { csrf, ended } from "./login";

const guard: Middleware = {
  onRequest({ request }) {
    const token = csrf();
    if (token !== "" && request.method !== "GET") request.headers.set("X-CSRF-Token", token);
    return request;
  },
  onResponse({ request, response }) {
    // Asking who one is, and trying to log in, are answered by those who asked.
    if (response.status === 401 && !new URL(request.url).pathname.startsWith("/v1/session")) ended();
    return response;
  },
  onError() {
    return new Unreachable();
  },
};

/** The API, typed by its OpenAPI document. */
export const api = createClient<paths>({ baseUrl: location.origin });
api.use(guard);

interface Answer<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** Gives what the API answered, or throws its Problem. */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw new Problem(isObject(error) ? error : {}, response.status);
  return data as T;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A key that makes a POST safe to repeat. */
export function once(): { "Idempotency-Key": string } {
  return { "Idempotency-Key": crypto.randomUUID() };
}
