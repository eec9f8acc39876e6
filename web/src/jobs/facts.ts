import type { Job } from "../api/types";
import { brief, capital } from "../show/format";

/** What a job's kind tells of it beside its subject, in a few words: "n1 → n2, requests waited 1.2 s". */
export function about({ facts = {} }: Pick<Job, "facts">): string {
  const { from, to, waited, ...others } = facts;
  const words: string[] = [];
  if (from !== undefined && to !== undefined) words.push(`${from} → ${to}`);
  else if (to !== undefined) words.push(`to ${to}`);
  else if (from !== undefined) words.push(`from ${from}`);
  if (waited !== undefined) words.push(`requests waited ${brief(waited)}`);
  for (const [name, value] of Object.entries(others)) words.push(`${name} ${value}`);
  return words.join(", ");
}

const names: Readonly<Record<string, string>> = { for: "Part of", waited: "Requests waited" };

/** A fact's name for people. */
export function factName(name: string): string {
  return names[name] ?? capital(name);
}

/** A fact's value for people. */
export function factValue(name: string, value: string): string {
  return name === "waited" ? brief(value) : value;
}
