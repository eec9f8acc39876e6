// Drives the dashboard of a daemon in Chromium, as people would. Started by scripts/test-e2e, which
// gives the first admin's link, the folder for pictures and the token of a second LXD.
import { mkdirSync } from "node:fs";

import { Dashboard } from "./dashboard";
import { clusters } from "./clusters";
import { elsewhere, turnedAway } from "./elsewhere";
import { hostileTerminal, hostileTexts } from "./hostile";
import { firstLoad } from "./load";
import { looks } from "./looks";
import { table } from "./many";
import { moved } from "./past";
import { client, viewer } from "./roles";
import { manyRows } from "./table";

const [link = "", shots = "", token = ""] = process.argv.slice(2);
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

/** Types what a dialogue wants typed, and says yes. */
async function confirm(verb: string, typed?: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  if (typed !== undefined) await dialog.getByRole("textbox").last().fill(typed);
  await dialog.getByRole("button", { name: verb, exact: true }).click();
}

/** Waits until a job that was begun is done. */
async function jobDone(title: string): Promise<void> {
  await page.locator(".notices > div", { hasText: title }).getByRole("link", { name: "Job done" }).waitFor({ timeout: 5 * slow });
}

await step("what a restore would change is compared first", async () => {
  await page.getByRole("button", { name: "Compare" }).first().click();
  await page.getByRole("heading", { name: /Changes since/ }).waitFor();
  await dashboard.shoot("compare");
});

await step("a backup is compared with now, and with a snapshot", async () => {
  await page.getByText("More", { exact: true }).click();
  await page.getByRole("button", { name: "Back up now" }).click();
  await jobDone("Back up acme");
  const backup = page.locator(".line > li", { has: page.getByTitle("Backup", { exact: true }) }).first();
  await backup.getByRole("button", { name: "Compare" }).click();
  await page.getByRole("heading", { name: /Changes since backup/ }).waitFor();
  const compared = page.locator(".tools__count");
  await compared.waitFor();
  await page.getByLabel("Up to").selectOption({ index: 1 });
  await compared.waitFor();
  await dashboard.shoot("compare-backup");
});

await step("move: what it would cost, then doing it", async () => {
  await dashboard.go("/ui/tenants/acme");
  const home = await page.getByRole("link", { name: /^n\d$/ }).first().innerText();
  await page.getByText("More", { exact: true }).click();
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await page.getByRole("dialog").getByText("Requests wait", { exact: true }).waitFor();
  await dashboard.shoot("move");
  await dashboard.accessible("move");
  await confirm("Move");
  await jobDone("Move acme");
  await page.waitForFunction((was) => !document.body.innerText.includes(`Member\n${was}\n`), home);
  await moved(dashboard, home);
  await dashboard.go("/ui/tenants/acme");
});

await step("drain: the plan, then doing it", async () => {
  const home = await page.getByRole("link", { name: /^n\d$/ }).first().innerText();
  await dashboard.go(`/ui/members/${home}`);
  await page.getByRole("button", { name: "Plan a drain" }).click();
  await page.getByRole("button", { name: `Drain ${home}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("To copy", { exact: true }).waitFor();
  await dialog.getByLabel("At once").fill("1");
  await dialog.getByLabel("Copy at most, each second").fill("500MiB");
  await dialog.getByLabel("Requests may wait").fill("30s");
  await dashboard.shoot("drain");
  await dashboard.accessible("drain");
  await confirm("Drain", home);
  await jobDone(`Drain ${home}`);
  await page.getByText("No tenant lives here").waitFor();
  await page.getByRole("button", { name: "Bring back what was drained" }).click();
  await page.getByRole("dialog").getByLabel("At once").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Uncordon" }).click();
  await page.getByRole("button", { name: "Cordon", exact: true }).waitFor();
});

await step("the table of tenants: columns, views, many at once", () => table(dashboard, jobDone));

await step("settings, and where each comes from", async () => {
  await dashboard.go("/ui/settings");
  const settings = page.getByRole("region", { name: "Settings" });
  await page.getByRole("searchbox", { name: "Search settings" }).fill("api.listen");
  await settings.getByText(/lxdfleet\.yaml:\d+:3$/).waitFor();
  await page.getByRole("searchbox", { name: "Search settings" }).fill("");
  await page.getByLabel("Only what is set").check();
  await settings.getByText("lxd.project", { exact: true }).waitFor();
  if ((await settings.getByText("proxy.hold_timeout", { exact: true }).count()) > 0) throw new Error("a default is shown as set");
});

await step("another cluster: added, moved to and back, removed", () => clusters(dashboard, token, jobDone));

await step("a webhook, and what it was sent", async () => {
  await dashboard.go("/ui/webhooks");
  await page.getByRole("button", { name: "Add webhook" }).click();
  await page.getByLabel("Name", { exact: true }).fill("crm");
  await page.getByLabel("Address", { exact: true }).fill("https://crm.example.test/hook");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("It is shown only now").waitFor();
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await page.getByRole("button", { name: "Details" }).first().click();
});

await step("a policy, and rules for visitors", async () => {
  await dashboard.go("/ui/settings");
  await page.getByRole("button", { name: "Make a policy" }).click();
  await page.getByLabel("Name", { exact: true }).fill("nightly");
  await page.getByLabel("When: snapshots").fill("30 2 * * *");
  await page.getByLabel("Kept snapshots").fill("daily=7");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Change nightly" }).waitFor();
  await dashboard.go("/ui/tenants/acme/settings");
  await page.getByLabel("Window").fill("02:00-05:00");
  await page.getByRole("button", { name: "Save" }).first().click();
  await page.getByText("Save acme").waitFor();
  await page.getByLabel("Requests each second").fill("50");
  await page.getByRole("button", { name: "Save" }).last().click();
  await page.getByRole("button", { name: "No rules" }).waitFor();
});

await step("one-time codes come as a picture", async () => {
  await dashboard.go("/ui/account");
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("img", { name: "The secret as a QR code" }).waitFor();
});

await step("by keyboard alone: to a tenant, into a menu and out of it", async () => {
  await dashboard.go("/ui/");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await reach("Tenants");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Tenants" }).waitFor();
  await reach("acme");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "acme" }).waitFor();
  await reach("More");
  await page.keyboard.press("Enter");
  await reach("Close to visitors");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

/** Goes on by the tabulator until what has the focus says text. */
async function reach(text: string): Promise<void> {
  for (let i = 0; i < 80; i++) {
    if ((await page.evaluate(() => document.activeElement?.textContent.trim())) === text) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`80 tabulators do not lead to ${text}`);
}

await step("dark, light, and as the system is", async () => {
  const isDark = () => page.evaluate(() => document.documentElement.classList.contains("is-dark"));
  await page.getByRole("button", { name: "Theme: system" }).click();
  await page.getByRole("button", { name: "Theme: light" }).click();
  await page.getByRole("button", { name: "Theme: dark" }).waitFor();
  if (!(await isDark())) throw new Error("it is not dark");
  await page.getByRole("button", { name: "Theme: dark" }).click();
  if (await isDark()) throw new Error("it stays dark");
});

const links: string[] = [];
await step("add a client and a viewer", async () => {
  await dashboard.go("/ui/users");
  for (const [name, role] of [["carla", "client"], ["vera", "viewer"]] as const) {
    await page.getByRole("button", { name: "Add user" }).click();
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Role", { exact: true }).selectOption(role);
    if (role === "client") await page.getByLabel("Tenants", { exact: true }).fill("acme");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    links.push(await page.locator("code", { hasText: "https://" }).innerText());
    await page.locator("#main").getByRole("button", { name: "Close", exact: true }).click();
  }
});

await step("log in at an OpenID provider", () => elsewhere(dashboard));
await step("whom the provider knows and nobody gave a role is not let in", () => turnedAway(dashboard));

await step("a client sees its own tenant alone", () => client(dashboard, links[0] ?? ""));
await step("a viewer sees all, and runs nothing", () => viewer(dashboard, links[1] ?? ""));

const state = await dashboard.context.storageState();
await step("the first load is small and quick", () => firstLoad(dashboard, state));
await step("10,000 tenants scroll and filter", () => manyRows(dashboard, state));

await step("a terminal", async () => {
  await dashboard.go("/ui/tenants/acme");
  await page.getByRole("link", { name: "Terminal" }).click();
  await page.locator(".xterm-helper-textarea").waitFor();
  await page.getByText("#", { exact: false }).first().waitFor();
  await page.keyboard.type("echo $((6*7))\n");
  await page.getByText("42").first().waitFor();
  await dashboard.shoot("terminal");
});

await step("what programs write into a terminal stays text", () => hostileTerminal(dashboard));

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
  ["/ui/members/n1", "member"],
  ["/ui/clusters", "clusters"],
  ["/ui/jobs", "jobs"],
  ["/ui/backups", "backups"],
  ["/ui/users", "users"],
  ["/ui/tokens", "tokens"],
  ["/ui/webhooks", "webhooks"],
  ["/ui/audit", "audit"],
  ["/ui/settings", "settings"],
  ["/ui/account", "account"],
];

await step("hostile texts stay texts on every page", () => {
  const more = ["/ui/tenants/acme", "/ui/tenants/acme/timeline", "/ui/tenants/new", "/ui/images/tiny/1"];
  return hostileTexts(dashboard, state, [...pages.map(([path]) => path), ...more]);
});

/** Those whose layout changes most with the room there is. */
const wide: ReadonlySet<string> = new Set(["overview", "tenants", "usage", "tenant-settings", "members", "settings"]);

for (const [path, name] of pages) await step(`the page ${name}, light, dark, narrow${wide.has(name) ? " and wide" : ""}`, () => looks(dashboard, path, name, wide.has(name)));

await step("log out", async () => {
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
});

await dashboard.close();
