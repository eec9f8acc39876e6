import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright";

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
    page.on("pageerror", (error) => this.faults.push(`error in the page: ${error.message}`));
    page.on("console", (message) => {
      // A policy that is broken, or React's complaints; refused requests are looked at where they are made.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.faults.push(message.text());
    });
  }

  /** Opens a browser; base is the daemon's address without a path. */
  static async open(base: string, shots: string, view = { width: 1280, height: 800 }): Promise<Dashboard> {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    const context = await browser.newContext({ viewport: view, ignoreHTTPSErrors: true, colorScheme: "light" });
    return new Dashboard(browser, context, await context.newPage(), base, shots);
  }

  async go(path: string): Promise<void> {
    await this.page.goto(`${this.base}${path}`);
  }

  /** Keeps a picture for a person to look at. */
  async shoot(name: string): Promise<void> {
    await this.page.screenshot({ path: `${this.shots}/${name}.png` });
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
