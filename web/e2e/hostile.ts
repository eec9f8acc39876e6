import type { Page, Route } from "playwright";

import type { Dashboard, State } from "./dashboard";

// What a tenant, its software or a visitor may write where it is asked for text.
const evil = `"'></pre></script><img src=x data-evil onerror="window.hacked='img'"><script data-evil>window.hacked='script'</script><svg data-evil onload="window.hacked='svg'">\u202e{{7*7}}`;
const evilURL = "javascript:window.hacked='link'//";

/** The fields of the API's answers that hold text which somebody else wrote. */
const texts = new Set([
  "display_name", "contact", "note", "description", "message", "error", "hint", "detail", "title", "reason", "why", "problem", "last_error", "user_agent",
  "output", "text", "summary", "before", "after", "body", "target", "unicode", "cname", "last_used_by", "damage", "what", "status_message",
]);

/**
 * Has every text of the API's answers be an attack, and looks at each page: nothing of it may become an element,
 * run, or be followed.
 */
export async function hostileTexts(dashboard: Dashboard, state: State, paths: readonly string[]): Promise<void> {
  const page = await dashboard.stranger(state);
  await guarded(page);
  await page.route(/\/v1\//, poisoned);
  let seen = 0;
  for (const path of paths) {
    await page.goto(dashboard.at(path));
    seen += await looked(page, path);
  }
  await page.goto(dashboard.at("/ui/jobs"));
  await page.locator('#main a[href^="/ui/jobs/"]').first().click();
  seen += await looked(page, "a job");
  console.log(`  ${seen} hostile texts were shown on ${paths.length} pages`);
  if (seen < 20) throw new Error(`only ${seen} hostile texts were shown: the pages were not tried`);
  await dashboard.leave(page);
}

/** Waits for a page, and gives how many hostile texts it shows. */
async function looked(page: Page, where: string): Promise<number> {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForLoadState("load");
  await page.waitForTimeout(300); // what is loaded after the page
  await unharmed(page, where);
  return page.evaluate(() => document.body.innerText.split("window.hacked").length - 1);
}

/** Writes to the terminal that is open what a program of a tenant might. */
export async function hostileTerminal(dashboard: Dashboard): Promise<void> {
  const { page } = dashboard;
  await guarded(page);
  const title = await page.title();
  const attacks = [
    "<img src=x data-evil onerror=window.hacked=1><script data-evil>window.hacked=1</script>",
    "\\033]0;<script data-evil>window.hacked=1</script>\\007", // the title
    "\\033]8;;javascript:window.hacked=1\\007follow me\\033]8;;\\007", // a link
    "\\033]52;c;aGFja2Vk\\007", // the clipboard
    "\\033[c\\033[6n\\033]10;?\\007\\033P$q\\042p\\033\\\\\\\\", // questions that a terminal answers as if they were typed
    "\\033[21t",
  ];
  await page.locator(".xterm-helper-textarea").focus();
  for (const attack of attacks) {
    await page.keyboard.type(`printf '%b\\n' '${attack}'\n`);
  }
  await page.keyboard.type("echo $((600+66))\n");
  await page.locator(".xterm-rows").getByText("666").first().waitFor();
  const link = page.locator(".xterm-rows").getByText("follow me").last();
  const box = await link.boundingBox();
  if (box === null) throw new Error("the link is not shown: it was not tried");
  await page.mouse.move(box.x + 5, box.y + box.height / 2, { steps: 5 }); // what has the focus is a layer above
  await page.mouse.click(box.x + 5, box.y + box.height / 2);
  if ((await page.title()) !== title) throw new Error("a tenant's program sets the page's title");
  await unharmed(page, "the terminal");
}

/** Fails where a page asks something: scripts of ours do not. */
async function guarded(page: Page): Promise<void> {
  page.on("dialog", (dialog) => {
    void page.evaluate((text) => ((window as Hacked).hacked = `dialog: ${text}`), dialog.message());
    void dialog.dismiss();
  });
  await page.evaluate(() => delete (window as Hacked).hacked);
}

interface Hacked extends Window {
  hacked?: string | undefined;
}

async function unharmed(page: Page, where: string): Promise<void> {
  const found = await page.evaluate(() => ({
    hacked: (window as Hacked).hacked,
    elements: document.querySelectorAll("[data-evil]").length,
    links: [...document.querySelectorAll("[href], [src], [action], [formaction]")].filter((el) =>
      ["href", "src", "action", "formaction"].some((name) => /^\s*(javascript|data:text|vbscript)/i.test(el.getAttribute(name) ?? "")),
    ).length,
  }));
  if (found.hacked !== undefined) throw new Error(`${where}: hostile text ran (${found.hacked})`);
  if (found.elements > 0) throw new Error(`${where}: hostile text became ${found.elements} elements`);
  if (found.links > 0) throw new Error(`${where}: ${found.links} links run code`);
}

async function poisoned(route: Route): Promise<void> {
  const url = new URL(route.request().url());
  if (route.request().method() !== "GET" || url.pathname === "/v1/events" || url.pathname.endsWith("/exec")) return route.continue();
  if (url.pathname.endsWith("/logs")) {
    return route.fulfill({ contentType: "text/plain; charset=utf-8", body: `${evil}\n\u001b]0;${evil}\u0007\u001b[2J${evil}\n`.repeat(3) });
  }
  const response = await route.fetch({ maxRedirects: 0 });
  const kind = response.headers()["content-type"] ?? "";
  if (kind.startsWith("text/event-stream")) {
    const lines = (await response.text()).split("\n").map((line) => (line.startsWith("data: ") ? `data: ${JSON.stringify(poison(JSON.parse(line.slice(6))))}` : line));
    return route.fulfill({ response, body: lines.join("\n") });
  }
  if (!kind.includes("json")) return route.fulfill({ response });
  return route.fulfill({ response, json: poison(await response.json()) });
}

/** Puts hostile text into all of an answer that is text of somebody else's. */
function poison(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((one) => poison(one, key));
  if (typeof value === "object" && value !== null) {
    const out = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, poison(one, name)]));
    if (key === "labels") out[evil] = evil;
    if ("display_name" in out || "desired" in out) Object.assign(out, { display_name: evil, contact: evil });
    if ("taken_at" in out || "consistency" in out) Object.assign(out, { note: evil, why: evil });
    return out;
  }
  if (typeof value !== "string") return value;
  if (key === "url") return evilURL;
  return texts.has(key) ? evil : value;
}
