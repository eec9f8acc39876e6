import type { Page } from "playwright";

import type { Dashboard } from "./dashboard";

const password = "another long password 2";

/** A client sees its own tenants alone, and no button that it may not use. */
export async function client(dashboard: Dashboard, link: string): Promise<void> {
  const page = await begun(dashboard, link, "carla");
  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  const list = page.getByRole("region", { name: "Tenants" });
  await list.getByRole("link", { name: "acme", exact: true }).waitFor();
  await dashboard.shoot("client", page);
  await none(page, "globex");
  for (const name of ["Members", "Users", "Audit log", "Webhooks"]) {
    if ((await page.getByRole("link", { name, exact: true }).count()) > 0) throw new Error(`a client is shown the way to ${name}`);
  }
  if ((await page.getByRole("link", { name: "Create tenant" }).count()) > 0) throw new Error("a client is offered to create a tenant");
  await list.getByRole("link", { name: "acme", exact: true }).click();
  await page.getByRole("button", { name: "Snapshot", exact: true }).waitFor();
  for (const name of ["Stop", "More"]) {
    if ((await page.getByRole("button", { name, exact: true }).count()) > 0) throw new Error(`a client is offered to ${name}`);
  }
  if ((await page.getByRole("link", { name: "Terminal" }).count()) > 0) throw new Error("a client is offered a terminal");
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByText("Memory").first().waitFor();
  // What it may not see is as if it were not there.
  await page.goto(dashboard.at("/ui/tenants/globex"));
  await page.getByText("There is no tenant globex").waitFor();
  await page.context().close();
}

/** A viewer sees all tenants, and is offered what clients are. */
export async function viewer(dashboard: Dashboard, link: string): Promise<void> {
  const page = await begun(dashboard, link, "vera");
  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  await page.getByRole("region", { name: "Tenants" }).getByRole("link", { name: "globex", exact: true }).click();
  await page.getByRole("heading", { name: "globex" }).waitFor();
  await page.getByRole("heading", { name: "Latest jobs" }).waitFor();
  await page.getByRole("link", { name: "Members", exact: true }).waitFor();
  if ((await page.getByRole("button", { name: "Stop", exact: true }).count()) > 0) throw new Error("a viewer is offered to stop a tenant");
  for (const name of ["Users", "Audit log", "Webhooks", "Terminal"]) {
    if ((await page.getByRole("link", { name, exact: true }).count()) > 0) throw new Error(`a viewer is shown the way to ${name}`);
  }
  await page.context().close();
}

async function begun(dashboard: Dashboard, link: string, name: string): Promise<Page> {
  const page = await dashboard.stranger();
  await page.goto(link);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByLabel("Password again").fill(password);
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return page;
}

async function none(page: Page, text: string): Promise<void> {
  if ((await page.getByText(text).count()) > 0) throw new Error(`${text} is shown`);
}
