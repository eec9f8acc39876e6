import type { components } from "../api/schema.gen";

/** A tenant as the wizard's fields have it. */
export interface Draft {
  name: string;
  displayName: string;
  contact: string;
  image: string;
  plan: string;
  policy: string;
  domains: string;
  labels: string;
  member: string;
}

export const empty: Draft = { name: "", displayName: "", contact: "", image: "", plan: "", policy: "", domains: "", labels: "", member: "" };

/** Words between spaces, commas and lines. */
export function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

/** Labels written as KEY=VALUE. */
export function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(words(text).map((word) => [word.split("=", 1)[0] ?? "", word.includes("=") ? word.slice(word.indexOf("=") + 1) : ""]));
}

/** What is wrong with a name, before the daemon is asked; empty where nothing is. */
export function nameFault(name: string, taken: ReadonlySet<string>): string {
  if (name === "") return "";
  if (name.length > 63) return "A name has 63 letters at most.";
  if (!/^[a-z]/.test(name)) return "A name begins with a letter from a to z.";
  if (!/^[a-z0-9-]*$/.test(name)) return "A name has small letters from a to z, digits and hyphens only.";
  if (name.endsWith("-")) return "A name does not end with a hyphen.";
  return taken.has(name) ? `There is a tenant ${name} already.` : "";
}

/** What is wrong with the domains; empty where nothing is. */
export function domainsFault(text: string, taken: ReadonlyMap<string, string>): string {
  for (const domain of words(text)) {
    const owner = taken.get(domain.toLowerCase());
    if (owner !== undefined) return `${domain} belongs to ${owner}.`;
    if (/^[a-z]+:\/\//i.test(domain) || domain.includes("/")) return `${domain} is an address; give its host only.`;
    if (!domain.includes(".")) return `${domain} is no host name: it has no dot.`;
  }
  return "";
}

/** The request that makes the tenant; what is empty is left to the daemon. */
export function requestOf(draft: Draft): components["schemas"]["TenantCreate"] {
  const domains = words(draft.domains);
  return {
    name: draft.name,
    image: draft.image,
    ...(draft.displayName === "" ? {} : { display_name: draft.displayName }),
    ...(draft.contact === "" ? {} : { contact: draft.contact }),
    ...(draft.plan === "" ? {} : { plan: draft.plan }),
    ...(draft.policy === "" ? {} : { policy: draft.policy }),
    ...(draft.member === "" ? {} : { member: draft.member }),
    ...(domains.length === 0 ? {} : { domains }),
    ...(draft.labels.trim() === "" ? {} : { labels: labelsOf(draft.labels) }),
  };
}
