import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { WebSocket } from "undici";
import { onTestFinished } from "vitest";
import * as z from "zod";
import { jsonFrom } from "../src/lib/index.js";
import { temporaryFolder } from "./temporary-folder.js";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** A browser of this machine; `undefined` where there is none. */
export const BROWSER =
  // wine sees the files of Linux, and cannot start them.
  process.platform === "win32" ? undefined : PLACES.find((path) => existsSync(path));

const answerSchema = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  sessionId: z.string().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ message: z.string() }).optional(),
});

/** A page of a headless browser, by the Chrome DevTools Protocol. */
export class BrowserPage {
  /** What the browser complained about. */
  readonly complaints: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: z.output<typeof answerSchema>) => void>();
  #session: string | undefined;
  #loaded: () => void = () => {};
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer = answerSchema.parse(jsonFrom(String(data)));
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
      else if (answer.method === "Page.loadEventFired") this.#loaded();
      else if (answer.method === "Log.entryAdded") {
        this.complaints.push(JSON.stringify(answer.params));
      }
    });
  }

  /** A new page in a browser of its own, which ends with the test. */
  static async open(browser: string): Promise<BrowserPage> {
    const profile = await temporaryFolder("browser-");
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const child = spawn(
      browser,
      [...args, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    onTestFinished(async () => {
      const ended = new Promise((resolve) => child.once("close", resolve));
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await ended;
    });
    const socket = new WebSocket(await addressOf(child));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    const page = new BrowserPage(socket);
    const { targetId } = await page.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await page.send("Target.attachToTarget", { targetId, flatten: true });
    page.#session = String(sessionId);
    await page.send("Page.enable");
    await page.send("Log.enable");
    return page;
  }

  async show(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    await this.send("Page.navigate", { url });
    await loaded;
  }

  async looks({ width, scheme }: { width: number; scheme: "light" | "dark" }): Promise<void> {
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", size);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** The value of an expression in the page, as JSON. */
  async evaluate<T>(expression: string, schema: z.ZodType<T>): Promise<T> {
    const { result } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    return schema.parse(Object(result)["value"]);
  }

  /** The page as HTML, after its scripts have changed it. */
  html(): Promise<string> {
    return this.evaluate("document.documentElement.outerHTML", z.string());
  }

  send(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    this.#id += 1;
    const id = this.#id;
    const { promise, resolve, reject } = withResolvers<Readonly<Record<string, unknown>>>();
    this.#waiting.set(id, ({ result = {}, error }) => {
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(`${method}: ${error.message}`));
    });
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return promise;
  }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** The browser prints the address of its debugger on stderr. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the browser ended: ${text}`)));
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}
