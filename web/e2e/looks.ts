import type { Dashboard } from "./dashboard";

const sizes = { usual: { width: 1280, height: 800 }, narrow: { width: 375, height: 740 }, wide: { width: 3840, height: 2160 } } as const;
const settled = 500; // milliseconds that colours and the drawer of the navigation take at most

/**
 * Keeps pictures of a page light, dark and 375 pixels wide, has axe look at each, and sees that nothing hangs out;
 * of some pages also at 4K.
 */
export async function looks(dashboard: Dashboard, path: string, name: string, wide: boolean): Promise<void> {
  const { page } = dashboard;
  await dashboard.go(path);
  await page.getByRole("navigation", { name: "Main" }).waitFor(); // logged in
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
  await dashboard.shoot(name);
  await dashboard.accessible(name);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForTimeout(settled);
  await dashboard.shoot(`${name}-dark`);
  await dashboard.accessible(`${name}, dark`);
  await page.emulateMedia({ colorScheme: "light" });
  for (const size of wide ? (["narrow", "wide"] as const) : (["narrow"] as const)) {
    await page.setViewportSize(sizes[size]);
    await page.waitForTimeout(settled);
    await dashboard.shoot(`${name}-${size}`);
    if (size === "narrow") await dashboard.accessible(`${name}, narrow`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    if (wider) throw new Error(`${name} is wider than a ${size} screen`);
  }
  await page.setViewportSize(sizes.usual);
}
