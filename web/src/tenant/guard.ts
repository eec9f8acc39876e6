import type { components } from "../api/schema.gen";
import type { Guard } from "../api/types";
import { words } from "../tenants/draft";

type Edit = components["schemas"]["GuardEdit"];

/** What visitors may do, as the form's fields have it. */
export interface GuardDraft {
  allow: string;
  deny: string;
  rate: string;
  burst: string;
  addressRate: string;
  addressBurst: string;
  inFlight: string;
  body: string;
  hsts: string;
  headers: boolean;
}

export function draftOf(guard: Guard | undefined): GuardDraft {
  return {
    allow: guard?.allow?.join(" ") ?? "",
    deny: guard?.deny?.join(" ") ?? "",
    rate: text(guard?.requests_per_second),
    burst: text(guard?.burst),
    addressRate: text(guard?.per_address_per_second),
    addressBurst: text(guard?.per_address_burst),
    inFlight: text(guard?.max_in_flight),
    body: guard?.max_body ?? "",
    hsts: guard?.hsts ?? "",
    headers: guard?.security_headers ?? false,
  };
}

function text(n: number | undefined): string {
  return n === undefined || n === 0 ? "" : String(n);
}

/** The change that makes the rules so. What is empty takes a rule away. */
export function editOf(draft: GuardDraft): Edit {
  return {
    allow: words(draft.allow),
    deny: words(draft.deny),
    requests_per_second: Number(draft.rate),
    burst: Number(draft.burst),
    per_address_per_second: Number(draft.addressRate),
    per_address_burst: Number(draft.addressBurst),
    max_in_flight: Number(draft.inFlight),
    max_body: draft.body,
    hsts: draft.hsts,
    security_headers: draft.headers,
  };
}
