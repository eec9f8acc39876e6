import type { Dashboard } from "./dashboard";

/** The table of tenants: columns to choose, views that are kept, and the same done to many by one job. */
export async function table(dashboard: Dashboard, done: (title: string) => Promise<void>): Promise<void> {
  const { page } = dashboard;
  await dashboard.go("/ui/tenants");
  const list = page.getByRole("region", { name: "Tenants" });
  await list.getByRole("link", { name: "globex", exact: true }).waitFor();

  await page.getByText("Columns", { exact: true }).click();
  await page.getByLabel("IP address").check();
  await page.getByLabel("Plan", { exact: true }).last().uncheck();
  await page.keyboard.press("Escape");
  await list.getByRole("columnheader", { name: "IP address" }).waitFor();

  await page.getByRole("searchbox", { name: "Search tenants" }).fill("glob");
  await page.getByText("1 tenant of 2").waitFor();
  await page.getByText("Views", { exact: true }).click();
  await page.getByLabel("Name of this view").fill("only globex");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.keyboard.press("Escape");

  // Both are there when the page is opened anew.
  await dashboard.go("/ui/tenants");
  await page.getByText("2 tenants", { exact: true }).waitFor();
  await list.getByRole("columnheader", { name: "IP address" }).waitFor();
  if ((await list.getByRole("columnheader", { name: "Plan" }).count()) > 0) throw new Error("a column that was taken away is there again");
  await page.getByText("Views", { exact: true }).click();
  await page.getByRole("button", { name: "only globex", exact: true }).click();
  await page.getByText("1 tenant of 2").waitFor();
  await page.getByRole("searchbox", { name: "Search tenants" }).fill("");

  await list.getByRole("checkbox", { name: "Choose all" }).check();
  await page.getByText("2 tenants chosen").click();
  await dashboard.shoot("bulk");
  await page.getByRole("button", { name: "Snapshot", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("acme, globex.").waitFor();
  await dialog.getByLabel("At once").fill("1");
  const asked = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/v1/bulk"));
  await dialog.getByRole("button", { name: "Snapshot", exact: true }).click();
  const body = (await asked).postDataJSON() as { action: string; tenants: string[]; at_once: number };
  if (body.action !== "snapshot" || body.tenants.join() !== "acme,globex" || body.at_once !== 1) throw new Error(`it asks for ${JSON.stringify(body)}`);
  await done("Snapshot 2 tenants");
  await resized(dashboard);
}

/** Gives both another plan; what comes of each is told while it comes. */
async function resized(dashboard: Dashboard): Promise<void> {
  const { page } = dashboard;
  await page.getByRole("checkbox", { name: "Choose all" }).check();
  await page.getByText("2 tenants chosen").click();
  await page.getByRole("button", { name: "Resize", exact: true }).click();
  const dialog = page.getByRole("dialog");
  const resize = dialog.getByRole("button", { name: "Resize", exact: true });
  if (await resize.isEnabled()) throw new Error("a resize can be confirmed without a plan");
  await dialog.getByLabel("Plan", { exact: true }).selectOption("medium");
  await dialog.getByLabel("At once").fill("1");
  await dashboard.shoot("bulk-resize");
  await resize.click();
  await page.locator(".notices > div", { hasText: "Resize 2 tenants" }).getByRole("link").first().click();
  const parts = page.getByRole("region", { name: "Each tenant" }).last();
  for (const name of ["acme", "globex"]) await parts.getByRole("row", { name: new RegExp(`${name}.*done`) }).waitFor();
  await page.getByText("2 done", { exact: true }).waitFor();
  await dashboard.shoot("bulk-job");
  await dashboard.accessible("bulk-job");
}
