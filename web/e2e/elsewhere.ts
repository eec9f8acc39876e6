import type { Page } from "playwright";

import type { Dashboard } from "./dashboard";

const password = "only the provider knows it";

/** Somebody whom the OpenID provider knows, with the group of operators, is let in as one. */
export async function elsewhere(dashboard: Dashboard): Promise<void> {
  const page = await dashboard.stranger();
  await page.goto(dashboard.at("/ui/tenants/acme/usage"));
  await page.getByRole("link", { name: "Sign in with Agency ID" }).waitFor();
  await dashboard.shoot("login-openid", page);
  await atProvider(page, "olga");
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  await page.getByRole("link", { name: "Create tenant" }).waitFor();
  if ((await page.getByRole("link", { name: "Users", exact: true }).count()) > 0) throw new Error("an operator is shown the way to Users");
  // The session is one like any other: it is there after a reload, and ends when asked to.
  await page.reload();
  await page.getByRole("link", { name: "Create tenant" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.context().close();
}

/** Somebody whom the provider knows and who has no role here is not let in, and is told so. */
export async function turnedAway(dashboard: Dashboard): Promise<void> {
  const page = await dashboard.stranger();
  await page.goto(dashboard.at("/ui/"));
  await atProvider(page, "eve");
  await page.getByText("not let in here").waitFor();
  if ((await page.getByRole("navigation", { name: "Main" }).count()) > 0) throw new Error("somebody without a role is let in");
  await page.context().close();
}

async function atProvider(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: "Sign in with Agency ID" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Login" }).click();
}
