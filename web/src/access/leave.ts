import { csrf } from "../api/login";

/** Ends the session and begins anew at the login page, with nothing of the old in memory. */
export async function leave(): Promise<void> {
  await fetch("/v1/session", { method: "DELETE", headers: { "X-CSRF-Token": csrf() } });
  location.assign("/ui/");
}
