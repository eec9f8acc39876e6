// Drives the dashboard of a daemon in Chromium, as people would. Started by scripts/test-e2e, which
// gives the first admin's link and the folder for pictures.
import { mkdirSync } from "node:fs";

import { Dashboard } from "./dashboard";

const [link = "", shots = ""] = process.argv.slice(2);
const base = new URL(link).origin; // the session is this host's
const password = "a long enough password 1";
const slow = 60_000;

mkdirSync(shots, { recursive: true });
const dashboard = await Dashboard.open(base, shots);
const { page } = dashboard;
page.setDefaultTimeout(slow);

/** Says what is tried, so that a failure tells where. */
async function step(what: string, run: () => Promise<void>): Promise<void> {
  const began = Date.now();
  try {
    await run();
  } catch (thrown) {
    await dashboard.shoot("failed");
    console.error(dashboard.faults.join("\n"));
    throw new Error(`${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  }
  console.log(`${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

await step("the first admin chooses a password", async () => {
  await page.goto(link);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByLabel("Password again").fill(password);
  await dashboard.shoot("welcome");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
});

await step("a wrong password is refused", async () => {
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await dashboard.shoot("login");
  await dashboard.accessible("login");
});

await step("log in by keyboard alone", async () => {
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
});

await step("create a tenant by the wizard", async () => {
  await page.getByRole("link", { name: "Tenants", exact: true }).click();
  await page.getByRole("link", { name: "Create tenant" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Acme");
  await page.getByText("begins with a letter").waitFor();
  await page.getByLabel("Name", { exact: true }).fill("acme");
  await page.getByLabel("Customer").fill("<b>Acme</b> & Söhne");
  await page.getByText("It goes to").waitFor();
  await dashboard.shoot("wizard");
  await dashboard.accessible("wizard");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("button", { name: "Open acme" }).click({ timeout: slow });
  await page.getByText("<b>Acme</b> & Söhne").waitFor(); // text, not markup
  await dashboard.shoot("tenant");
  await dashboard.accessible("tenant");
});

await step("snapshot, and go back to it", async () => {
  await page.getByRole("button", { name: "Snapshot", exact: true }).click();
  await page.getByRole("link", { name: "Snapshots and backups" }).click();
  await page.getByRole("button", { name: "Restore" }).first().click({ timeout: slow });
  const confirm = page.getByRole("dialog").getByRole("button", { name: "Restore" });
  if (await confirm.isEnabled()) throw new Error("a restore can be confirmed without the tenant's name");
  await page.getByRole("dialog").getByRole("textbox").fill("acme");
  await confirm.click();
  await page.locator(".notices > div", { hasText: "Restore acme" }).getByRole("link", { name: "Job done" }).waitFor();
  await dashboard.shoot("timeline");
  await dashboard.accessible("timeline");
});

await step("a terminal", async () => {
  await page.getByRole("link", { name: "Terminal" }).click();
  await page.locator(".xterm-helper-textarea").waitFor();
  await page.getByText("#", { exact: false }).first().waitFor();
  await page.keyboard.type("echo $((6*7))\n");
  await page.getByText("42").first().waitFor();
  await dashboard.shoot("terminal");
});

const pages: readonly (readonly [path: string, name: string])[] = [
  ["/ui/", "overview"],
  ["/ui/tenants", "tenants"],
  ["/ui/tenants/acme/domains", "domains"],
  ["/ui/tenants/acme/usage", "usage"],
  ["/ui/tenants/acme/jobs", "tenant-jobs"],
  ["/ui/tenants/acme/logs", "logs"],
  ["/ui/tenants/acme/settings", "tenant-settings"],
  ["/ui/images", "images"],
  ["/ui/members", "members"],
  ["/ui/jobs", "jobs"],
  ["/ui/backups", "backups"],
  ["/ui/users", "users"],
  ["/ui/tokens", "tokens"],
  ["/ui/audit", "audit"],
  ["/ui/settings", "settings"],
  ["/ui/account", "account"],
];

for (const [path, name] of pages) {
  await step(`the page ${name}, light, dark and narrow`, async () => {
    await dashboard.go(path);
    await page.getByRole("navigation", { name: "Main" }).waitFor(); // logged in
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.getByText("Loading…").first().waitFor({ state: "detached" });
    await dashboard.shoot(name);
    await dashboard.accessible(name);
    await page.emulateMedia({ colorScheme: "dark" });
    await dashboard.shoot(`${name}-dark`);
    await dashboard.accessible(`${name}, dark`);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 375, height: 740 });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    await dashboard.shoot(`${name}-narrow`);
    await page.setViewportSize({ width: 1280, height: 800 });
    if (wider) throw new Error("it is wider than a narrow screen");
  });
}

await step("log out", async () => {
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
});

await dashboard.close();
