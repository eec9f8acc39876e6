import type { Dashboard } from "./dashboard";

type Done = (title: string) => Promise<void>;

/** Adds another LXD, moves a tenant there and back, and removes it. */
export async function clusters(dashboard: Dashboard, token: string, done: Done): Promise<void> {
  const { page } = dashboard;
  await add(dashboard, "no token");
  await dashboard.shoot("cluster-add");
  await dashboard.accessible("cluster-add");
  await page.locator(".notices > div", { hasText: "Add the cluster west" }).getByText(/token/).waitFor();
  await add(dashboard, token);
  const west = page.getByRole("region", { name: "west", exact: true });
  await west.getByText("well", { exact: true }).waitFor();
  await west.getByRole("link", { name: "none", exact: true }).waitFor();
  await west.getByRole("button", { name: "Exchange our certificate" }).click();
  await page.locator(".notices > .p-notification--positive", { hasText: "Exchange the certificate for west" }).waitFor();
  await dashboard.shoot("clusters");
  await dashboard.accessible("clusters");

  await dashboard.go("/ui/tenants/acme");
  await page.getByText("More", { exact: true }).click();
  await page.getByRole("button", { name: "Move", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("To", { exact: true }).selectOption("west:");
  await dialog.getByRole("definition").filter({ hasText: "west:none" }).waitFor();
  await dashboard.shoot("move-cluster");
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await done("Move acme");
  await page.getByRole("link", { name: "west:none", exact: true }).waitFor();

  // Home again, as one of many.
  await dashboard.go("/ui/tenants?member=west%3Anone");
  await page.getByRole("checkbox", { name: "Choose acme" }).check();
  await page.getByText("1 tenant chosen").click();
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await dialog.getByLabel("To", { exact: true }).selectOption("n1");
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await done("Move 1 tenant");

  await dashboard.go("/ui/clusters");
  await west.getByRole("button", { name: "Remove" }).click();
  await dialog.getByRole("textbox").fill("west");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.getByText("No other cluster").waitFor();
}

async function add(dashboard: Dashboard, token: string): Promise<void> {
  const { page } = dashboard;
  await dashboard.go("/ui/clusters");
  await page.getByText("No other cluster").waitFor();
  await page.getByRole("button", { name: "Add cluster" }).click();
  await page.getByLabel("Name", { exact: true }).fill("west");
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByText("Project, pool and network there").click();
  await page.getByLabel("Network", { exact: true }).fill("br0");
  await page.getByRole("button", { name: "Add", exact: true }).click();
}
