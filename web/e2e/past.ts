import type { Dashboard } from "./dashboard";

/** The tenant's page says from where to where it went, and how long its requests waited. */
export async function moved(dashboard: Dashboard, from: string): Promise<void> {
  const { page } = dashboard;
  await dashboard.go("/ui/tenants/acme/jobs");
  const moves = page.getByRole("region", { name: "Moves" });
  await moves.getByRole("link", { name: from, exact: true }).waitFor();
  await moves.getByRole("cell", { name: /^[\d.]+ s$/ }).first().waitFor();
  await dashboard.shoot("moves");
  await moves.getByRole("link").first().click();
  await page.getByText("Requests waited", { exact: true }).waitFor();
  await page.goBack();
}
