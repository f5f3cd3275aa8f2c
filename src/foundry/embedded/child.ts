/**
 * The child process in which `foundry-local-sdk` runs, and the only place that imports it. The server
 * cannot host the SDK itself: its native calls block, its core may crash, and it prints to stdout.
 * Built as `dist/embedded.js`; the other end is `embedded-service.ts`.
 */
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { isProcessAlive } from "../../platform/index.js";
import type { FromChild, SdkSettings, ToChild } from "./sdk-process.js";

/** The used part of the SDK, 1.x and 2.x (`docs/foundry-local.md`, section 12). */
interface Sdk {
  readonly FoundryLocalManager: {
    create(settings: Partial<SdkSettings>): Manager;
    /** Loads the core without blocking the event loop. */
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
/** A bound on error messages: those of the core contain its whole stack. */
const LONGEST_MESSAGE = 4000;
/** The core reports every chunk. Smaller steps are not sent. */
const PERCENT_STEP = 0.1;

/**
 * Ends this process when the parent has ended. Runs in a thread of its own, because native code may
 * block the event loop of the main thread.
 */
function watch(parent: number): void {
  setInterval(() => {
    if (process.ppid !== parent || !isProcessAlive(parent)) end();
  }, WATCH_MS);
}

/** Not `process.exit`, which waits for native code that may hang. No state is lost. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}

function serve(): void {
  // The channel closes when the parent ends, however it ends; it may have ended before this module was loaded.
  process.on("disconnect", end);
  if (!process.connected) end();
  const child = new Child();
  process.on("message", (message) => {
    if (isToChild(message)) child.handle(message);
  });
  new Worker(fileURLToPath(import.meta.url), { workerData: process.ppid });
}

class Child {
  #manager: Manager | null = null;
  readonly #downloads = new Map<number, AbortController>();

  handle(message: ToChild): void {
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
      send({ kind: "failed", message: messageOf(error) });
    }
  }

  async #download(call: number, id: string): Promise<void> {
    const controller = new AbortController();
    this.#downloads.set(call, controller);
    let reported = 0;
    try {
      const models = await this.#manager?.catalog.getModels();
      const variant = models?.flatMap(({ variants }) => variants).find(isNamed(id));
      if (variant === undefined) throw new Error(`Model variant with ID '${id}' not found.`);
      controller.signal.throwIfAborted();
      await variant.download((percent) => {
        if (percent - reported < PERCENT_STEP) return;
        reported = percent;
        send({ kind: "progress", call, percent });
      }, controller.signal);
      send({ kind: "downloaded", call });
    } catch (error) {
      send({ kind: "download_failed", call, message: messageOf(error) });
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
    // 2.x rejects unknown settings with a TypeError. These two it must know.
    if (!(error instanceof TypeError)) throw error;
    const { appName, modelCacheDir } = settings;
    return create({ appName, modelCacheDir });
  }
}

/** C1 lists names without versions. The SDK lists the newest version first. */
const isNamed =
  (id: string) =>
  (variant: Variant): boolean =>
    variant.id === id || variant.id.replace(/:\d+$/, "") === id;

function send(message: FromChild): void {
  // Errors are ignored: the event `disconnect` reports that the parent has ended.
  process.send?.(message, () => {});
}

/** Both ends belong to this package, so the shape of its messages is not checked further. */
function isToChild(message: unknown): message is ToChild {
  return typeof message === "object" && message !== null && "kind" in message;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, LONGEST_MESSAGE);
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return `${error.name}${code}: ${error.message}`.slice(0, LONGEST_MESSAGE);
}

// At the end of the module, where all constants are initialised.
if (isMainThread) serve();
else watch(workerData);
