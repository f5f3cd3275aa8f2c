/**
 * The child process in which `foundry-local-sdk` runs, and the only place that imports it. Its calls
 * into native code block, its core may crash, and it prints to stdout, none of which the server can
 * have. Built as `dist/embedded.js`; see `embedded-service.ts` for the other end.
 */
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { isProcessAlive } from "../../platform/index.js";
import type { FromChild, SdkSettings, ToChild } from "./messages.js";

/** What is used of the SDK, 1.x and 2.x: `docs/foundry-local.md`, section 12. */
interface Sdk {
  readonly FoundryLocalManager: {
    create(settings: Partial<SdkSettings>): Manager;
    /** Loads the core beside the event loop. */
    createAsync?(settings: Partial<SdkSettings>): Promise<Manager>;
  };
}
interface Manager {
  readonly urls: readonly string[];
  readonly catalog: { getModels(): Promise<readonly { readonly variants: readonly Variant[] }[]> };
  startWebService(): unknown;
  stopWebService(): unknown;
}
interface Variant {
  readonly id: string;
  download(onPercent: (percent: number) => void, signal: AbortSignal): Promise<void>;
}

const WATCH_MS = 1000;
/** Messages of the core hold its whole stack. */
const LONGEST_WORDS = 4000;
/** Its core reports every piece; more than this nobody can see. */
const PERCENT_STEP = 0.1;

/**
 * While native code blocks the event loop, nothing here would notice that the parent was killed.
 * A thread of its own does.
 */
function watch(parent: number): void {
  setInterval(() => {
    if (process.ppid !== parent || !isProcessAlive(parent)) end();
  }, WATCH_MS);
}

/** Not `process.exit`, which waits for native code that may hang. There is nothing to be saved. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}

function serve(): void {
  // The channel closes when the parent ends, however it ends.
  process.on("disconnect", end);
  const child = new Child();
  process.on("message", (message) => {
    if (isToChild(message)) child.take(message);
  });
  new Worker(fileURLToPath(import.meta.url), { workerData: process.ppid });
}

class Child {
  #manager: Manager | null = null;
  readonly #downloads = new Map<number, AbortController>();

  take(message: ToChild): void {
    switch (message.kind) {
      case "start":
        void this.#start(message.entry, message.settings);
        break;
      case "download":
        void this.#download(message.call, message.id);
        break;
      case "cancel":
        this.#downloads.get(message.call)?.abort();
        break;
      case "stop":
        void this.#stop();
    }
  }

  async #start(entry: string, settings: SdkSettings): Promise<void> {
    try {
      this.#manager = await createManager(await import(entry), settings);
      await this.#manager.startWebService();
      send({ kind: "listening", urls: [...this.#manager.urls] });
    } catch (error) {
      send({ kind: "failed", words: wordsOf(error) });
    }
  }

  async #download(call: number, id: string): Promise<void> {
    const controller = new AbortController();
    this.#downloads.set(call, controller);
    let told = 0;
    try {
      const models = await this.#manager?.catalog.getModels();
      const variant = models?.flatMap(({ variants }) => variants).find(isNamed(id));
      if (variant === undefined) throw new Error(`Model variant with ID '${id}' not found.`);
      controller.signal.throwIfAborted();
      await variant.download((percent) => {
        if (percent - told < PERCENT_STEP) return;
        told = percent;
        send({ kind: "progress", call, percent });
      }, controller.signal);
      send({ kind: "downloaded", call });
    } catch (error) {
      send({ kind: "download_failed", call, words: wordsOf(error) });
    } finally {
      this.#downloads.delete(call);
    }
  }

  async #stop(): Promise<void> {
    try {
      await this.#manager?.stopWebService();
    } finally {
      end();
    }
  }
}

async function createManager(sdk: Sdk, settings: SdkSettings): Promise<Manager> {
  const { FoundryLocalManager } = sdk;
  const create = async (some: Partial<SdkSettings>) =>
    FoundryLocalManager.createAsync?.(some) ?? FoundryLocalManager.create(some);
  try {
    return await create(settings);
  } catch (error) {
    // 2.x refuses settings that it does not know with a TypeError. These two it must know.
    if (!(error instanceof TypeError)) throw error;
    const { appName, modelCacheDir } = settings;
    return create({ appName, modelCacheDir });
  }
}

/** C1 lists names without versions. Of the versions the SDK puts the newest first. */
const isNamed =
  (id: string) =>
  (variant: Variant): boolean =>
    variant.id === id || variant.id.replace(/:\d+$/, "") === id;

function send(message: FromChild): void {
  // A parent that is gone is told of by `disconnect`.
  process.send?.(message, () => {});
}

/** Both ends are of this package; it only has to be told from what others may send. */
function isToChild(message: unknown): message is ToChild {
  return typeof message === "object" && message !== null && "kind" in message;
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, LONGEST_WORDS);
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return `${error.name}${code}: ${error.message}`.slice(0, LONGEST_WORDS);
}

// Last, when all it needs is there.
if (isMainThread) serve();
else watch(workerData);
