import type { components } from "../api/schema.gen";

type Keep = components["schemas"]["Keep"];

const counts = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

/** What is kept, as `lxdfleet policy set` takes it: last=3,daily=7,min-age=72h. */
export function keepText(keep: Keep | undefined): string {
  if (keep === undefined) return "";
  const rules = counts.filter((key) => (keep[key] ?? 0) > 0).map((key) => `${key}=${keep[key] ?? 0}`);
  if (keep.min_age !== undefined && keep.min_age !== "") rules.push(`min-age=${keep.min_age}`);
  return rules.join(", ");
}

/** The rules of a text; what it does not understand is thrown as an error with words. */
export function keepOf(text: string): Keep {
  const keep: Keep = {};
  for (const word of text.split(/[\s,]+/).filter((w) => w !== "")) {
    const [key = "", value = ""] = word.split("=");
    const count = counts.find((c) => c === key);
    if (count !== undefined && /^\d+$/.test(value)) keep[count] = Number(value);
    else if ((key === "min-age" || key === "min_age") && value !== "") keep.min_age = value;
    else throw new Error(`${word} is no rule; write last=3, daily=7, min-age=72h and the like`);
  }
  return keep;
}
