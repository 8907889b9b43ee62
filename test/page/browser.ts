import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium';
/** What a browser does by itself, switched off: what it asks for then is what the page asks for. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Where pictures of the page are kept for people; outside of the repository. */
export const SCREENSHOTS = join(tmpdir(), 'berth-page-screenshots');

/** A browser that writes down what its pages complain about and ask for. */
export class WatchedBrowser implements AsyncDisposable {
  /** Errors of scripts, and errors on the console. */
  readonly complaints: string[] = [];
  /** URLs of all requests. */
  readonly requests: string[] = [];
  /** Dialogs that a page has opened: no page of ours does. */
  readonly dialogs: string[] = [];
  /** True while the daemon is away by intent: then a browser says on the console that nobody answers. */
  daemonIsAway = false;
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts a browser without a window. */
  static async open(): Promise<WatchedBrowser> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    return new WatchedBrowser(
      await chromium.launch({ executablePath: CHROMIUM, headless: true, args: QUIET, timeout: 60_000 }),
    );
  }

  /** Opens a URL in a profile of its own, and waits until the page has drawn the node. */
  async page(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`${error.name}: ${error.message}`));
    page.on('console', (message) => {
      const unreachable = this.daemonIsAway && /net::ERR_|Failed to load resource/.test(message.text());
      if (message.type() === 'error' && !unreachable) this.complaints.push(message.text());
    });
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('dialog', (dialog) => {
      this.dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    page.setDefaultTimeout(20_000);
    await page.goto(url);
    await page.waitForSelector('#page:not([aria-busy])');
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** Keeps a picture for people. */
export async function picture(page: Page, name: string, fullPage = true): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage });
}

/** By how many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - innerWidth');
}

/** Texts of cells that stand over the edge of their cell. */
export function spills(page: Page): Promise<string[]> {
  return page.evaluate(
    "[...document.querySelectorAll('td, th, dd, summary > :not(.unseen)')].filter((one) => one.checkVisibility() && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)",
  );
}

/**
 * The contrast of the texts that `selector` finds with what is behind them: the least one (WCAG 2.2, section 1.4.3 wants
 * 4.5). Colours are resolved by a canvas, whatever notation they have.
 */
export function leastContrast(page: Page, selector: string): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const over = (colours) => {
      canvas.clearRect(0, 0, 1, 1);
      for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => {
      const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (element) => {
      const behind = [];
      for (let at = element; at !== null; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
      const [a, b] = [light(over(behind)), light(over([...behind, getComputedStyle(element).color]))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    };
    return Math.min(...[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.checkVisibility()).slice(0, 12).map(ratio));
  })()`);
}
