import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright";

const view = { viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true, colorScheme: "light" } as const;

/** Cookies and what a browser keeps, as a context gives and takes them. */
export type State = Awaited<ReturnType<BrowserContext["storageState"]>>;

/** A browser that is logged in at a daemon, and writes down what went wrong in the page. */
export class Dashboard {
  readonly faults: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly base: string,
    private readonly shots: string,
  ) {
    this.listen(page);
  }

  /** Opens a browser; base is the daemon's address without a path. */
  static async open(base: string, shots: string): Promise<Dashboard> {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    const context = await browser.newContext(view);
    return new Dashboard(browser, context, await context.newPage(), base, shots);
  }

  /** Gives a page of somebody else: nothing of it is cached, and nobody is logged in but whom state says. */
  async stranger(state?: State): Promise<Page> {
    const context = await this.browser.newContext({ ...view, ...(state === undefined ? {} : { storageState: state }) });
    const page = await context.newPage();
    this.listen(page);
    return page;
  }

  /** Ends a stranger's page. What its routes are still asking is given up: nobody waits for the answers. */
  async leave(page: Page): Promise<void> {
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
  }

  private listen(page: Page): void {
    page.on("pageerror", (error) => this.faults.push(`error in the page: ${error.message}`));
    page.on("console", (message) => {
      // A policy that is broken, or React's complaints; refused requests are looked at where they are made.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.faults.push(message.text());
    });
  }

  /** The address of a page. */
  at(path: string): string {
    return `${this.base}${path}`;
  }

  async go(path: string): Promise<void> {
    await this.page.goto(this.at(path));
  }

  /** Keeps a picture for a person to look at. */
  async shoot(name: string, page = this.page): Promise<void> {
    await page.screenshot({ path: `${this.shots}/${name}.png` });
  }

  /** Fails where axe finds something serious on the page. */
  async accessible(name: string): Promise<void> {
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    for (const { id, impact, nodes } of violations) {
      if (impact !== "serious" && impact !== "critical") continue;
      this.faults.push(`${name}: axe says ${id} of ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    if (this.faults.length > 0) throw new Error(this.faults.join("\n"));
  }
}
