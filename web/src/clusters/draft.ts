import type { components } from "../api/schema.gen";

/** A cluster to be added, as the form's fields have it. */
export interface ClusterDraft {
  name: string;
  way: "token" | "password";
  token: string;
  password: string;
  fingerprint: string;
  url: string;
  project: string;
  pool: string;
  network: string;
}

export const emptyCluster: ClusterDraft = { name: "", way: "token", token: "", password: "", fingerprint: "", url: "", project: "", pool: "", network: "" };

/** What adds the cluster; what is empty is left to the daemon, and of token and password only the chosen one goes along. */
export function clusterOfDraft(draft: ClusterDraft): components["schemas"]["ClusterAdd"] {
  const secret = draft.way === "token" ? { token: draft.token.trim() } : { password: draft.password, fingerprint: draft.fingerprint.trim() };
  const rest = { url: draft.url.trim(), project: draft.project.trim(), pool: draft.pool.trim(), network: draft.network.trim() };
  return { name: draft.name.trim(), ...secret, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "")) };
}

/** Whether enough is said to try it. */
export function complete(draft: ClusterDraft): boolean {
  if (draft.name.trim() === "") return false;
  return draft.way === "token" ? draft.token.trim() !== "" : draft.password !== "" && draft.fingerprint.trim() !== "" && draft.url.trim() !== "";
}
