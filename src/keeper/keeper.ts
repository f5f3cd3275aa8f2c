import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { FoundryClient } from "../jobs/index.js";
import { isSameSecret, MOST_KEEPER_CONNECTIONS } from "../lib/index.js";
import { type FileLock, FileLocks, type KeeperAddress } from "../platform/index.js";
import { HeldCompletions, type Owner, settingsKey } from "./held.js";
import { HeldLoads } from "./held-loads.js";
import { isListening } from "./link.js";
import {
  type RequestMessage,
  requestMessageSchema,
  type SettingsSource,
  type WireState,
} from "./messages.js";
import {
  Channel,
  ensureSecret,
  greetingSchema,
  newNonce,
  PROTOCOL,
  proofOf,
  proofSchema,
} from "./socket.js";
import { patchOf } from "./states.js";

interface KeeperOptions {
  readonly address: KeeperAddress;
  /** Makes a client by the settings of a server. */
  readonly clientOf: (settings: SettingsSource) => FoundryClient;
  /** Default: {@link LINGER_MS}. For tests. */
  readonly lingerMs?: number;
  /** For tests: between two looks at the lock of a keeper that was killed. */
  readonly lockCheckMs?: number | undefined;
}

/** A keeper that holds nothing ends after so long: its starter has not connected yet, or more comes. */
const LINGER_MS = 3000;
const PRUNE_MS = 500;
/** For the proof of a process that connects. */
const GREETING_MS = 5000;
/** Two keepers that start at once may both give way; each tries again some times. */
const LOCK_TRIES = 16;
/**
 * Where nothing listens, the lock is that of a keeper that was killed, and its process id may be that of
 * another program by now. Such a lock is stale when it was not touched for half a minute.
 */
const STALE_LOCK_TRIES = 500;
const LOCK_PAUSE_MS = 100;

/**
 * Runs a keeper until it holds nothing any more. Returns soon if this user has another one.
 */
export async function runKeeper(options: KeeperOptions): Promise<void> {
  const { address } = options;
  const secret = await ensureSecret(address);
  const lock = await lockOf(options);
  if (lock === null) return;
  try {
    await new Keeper(options, secret).run();
  } finally {
    await lock.release();
  }
}

/** Held as long as the keeper runs, so that only one process may remove a socket that was left behind. */
async function lockOf({ address, lockCheckMs }: KeeperOptions): Promise<FileLock | null> {
  const locks = new FileLocks(path.join(address.directory, "lock"), lockCheckMs);
  for (let tries = 1; tries <= STALE_LOCK_TRIES; tries += 1) {
    const lock = await locks.tryLock();
    if (lock !== null) return lock;
    if (tries >= LOCK_TRIES && (await isListening(address))) return null;
    await setTimeout(LOCK_PAUSE_MS * (0.5 + Math.random()));
  }
  return null;
}

class Keeper {
  readonly #options: KeeperOptions;
  readonly #secret: string;
  readonly #peers = new Set<Peer>();
  readonly #clients = new Map<string, FoundryClient>();
  readonly completions: HeldCompletions;
  readonly loads: HeldLoads;

  constructor(options: KeeperOptions, secret: string) {
    this.#options = options;
    this.#secret = secret;
    const now = (): number => performance.now();
    const clientOf = (settings: SettingsSource): FoundryClient => this.#clientOf(settings);
    const onChange = (ids: readonly string[]): void => {
      for (const peer of this.#peers) peer.notify(ids);
    };
    this.completions = new HeldCompletions({ clientOf, now, onChange });
    this.loads = new HeldLoads({ clientOf, now });
  }

  async run(): Promise<void> {
    const server = createServer((socket) => this.#connect(socket));
    await this.#listen(server);
    try {
      await this.#untilIdle();
    } finally {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const peer of this.#peers) peer.close();
      await closed;
      await Promise.all([...this.#clients.values()].map((client) => client.close()));
    }
  }

  get holds(): number {
    return this.completions.size + this.loads.size;
  }

  leave(peer: Peer): void {
    this.#peers.delete(peer);
    this.completions.takeOver(peer);
    this.loads.takeOver(peer);
  }

  async #listen(server: Server): Promise<void> {
    const { socket } = this.#options.address;
    // What a keeper left behind that was killed: the lock shows that it is gone. Pipes leave nothing.
    if (process.platform !== "win32") await rm(socket, { force: true });
    await once(server.listen(socket), "listening");
    // A connection that could not be accepted, such as for want of a file descriptor.
    server.on("error", () => {});
  }

  async #untilIdle(): Promise<void> {
    const { lingerMs = LINGER_MS } = this.#options;
    let idleMs = 0;
    while (idleMs < lingerMs) {
      await setTimeout(PRUNE_MS);
      this.completions.prune();
      this.loads.prune();
      const isGreeting = [...this.#peers].some(({ isTrusted }) => !isTrusted);
      idleMs = this.holds > 0 || isGreeting ? 0 : idleMs + PRUNE_MS;
    }
  }

  /** The oldest connection without a proof gives way, so that such connections keep out no server of this user. */
  #connect(socket: Socket): void {
    if (this.#peers.size >= MOST_KEEPER_CONNECTIONS) {
      const oldest = [...this.#peers].find(({ isTrusted }) => !isTrusted);
      if (oldest === undefined) {
        socket.destroy();
        return;
      }
      this.#peers.delete(oldest);
      oldest.close();
    }
    this.#peers.add(new Peer(socket, this, this.#secret));
  }

  #clientOf(settings: SettingsSource): FoundryClient {
    const key = settingsKey(settings);
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const client = this.#options.clientOf(settings);
    this.#clients.set(key, client);
    this.completions.follow(client);
    return client;
  }
}

/** A server process that is connected. */
class Peer implements Owner {
  readonly #keeper: Keeper;
  readonly #channel: Channel;
  readonly #secret: string;
  readonly #nonce = newNonce();
  /** What this process knows of the completions that it follows. */
  readonly #sent = new Map<string, WireState>();
  #step: "greeting" | "proof" | "trusted" = "greeting";

  constructor(socket: Socket, keeper: Keeper, secret: string) {
    this.#keeper = keeper;
    this.#secret = secret;
    this.#channel = new Channel(socket, (message) => this.#receive(message));
    void this.#channel.closed.then(() => keeper.leave(this));
    void setTimeout(GREETING_MS, undefined, { ref: false }).then(() => {
      if (!this.isTrusted) this.close();
    });
  }

  get isTrusted(): boolean {
    return this.#step === "trusted";
  }

  stop(id: string): void {
    this.#channel.send({ stop: id });
  }

  /** Sends what changed of the completions that this process follows. */
  notify(ids: readonly string[]): void {
    const patches = ids.flatMap((id) => {
      const before = this.#sent.get(id);
      const found = this.#keeper.completions.foundOne(id);
      if (found === null) this.#sent.delete(id);
      if (before === undefined || found === null) return [];
      const { state, isRegenerated } = found;
      this.#sent.set(id, state);
      return [{ ...patchOf(state, before), isRegenerated }];
    });
    if (patches.length > 0) this.#channel.send({ patches });
  }

  close(): void {
    this.#channel.close();
  }

  #receive(message: unknown): void {
    if (this.#step === "greeting") this.#greet(message);
    else if (this.#step === "proof") this.#prove(message);
    else this.#serve(message);
  }

  #greet(message: unknown): void {
    const greeting = greetingSchema.safeParse(message);
    if (!greeting.success) {
      this.close();
      return;
    }
    const { protocol, nonce } = greeting.data;
    const proof = proofOf(this.#secret, "keeper", nonce);
    this.#channel.send({ protocol: PROTOCOL, nonce: this.#nonce, proof });
    if (protocol === PROTOCOL) this.#step = "proof";
    else this.#channel.end();
  }

  #prove(message: unknown): void {
    const given = proofSchema.safeParse(message);
    const expected = proofOf(this.#secret, "server", this.#nonce);
    if (!given.success || !isSameSecret(given.data.proof, expected)) {
      this.close();
      return;
    }
    this.#step = "trusted";
    this.#channel.trust();
    this.#channel.send({ ready: true });
  }

  #serve(message: unknown): void {
    const parsed = requestMessageSchema.safeParse(message);
    if (parsed.success) this.#handle(parsed.data);
    else this.close();
  }

  #handle(message: RequestMessage): void {
    const { completions, loads } = this.#keeper;
    if (message.do === "keep") {
      const isKept = completions.keep(message, this);
      if (isKept) loads.keep(message.loads, message.settings, this);
      this.#reply(message.n, { isKept });
    } else if (message.do === "patch") {
      completions.patch(message.patches, this);
    } else if (message.do === "release") {
      completions.release(message.completions, message.batches);
      loads.release(message.loads, this);
    } else if (message.do === "seen") {
      completions.seen(message.completions);
    } else if (message.do === "cancel") {
      completions.cancel(message.completion);
    } else if (message.do === "status") {
      this.#reply(message.n, { holds: this.#keeper.holds });
    } else if (message.do === "find") {
      const found = completions.find(message);
      for (const { state } of found.completions) this.#sent.set(state.id, state);
      this.#reply(message.n, found);
    } else {
      const { n, load, settings, withinMs } = message;
      void loads.wait(load, settings, withinMs).then(
        (state) => this.#reply(n, state),
        () => this.#reply(n, null),
      );
    }
  }

  #reply(n: number, value: unknown): void {
    this.#channel.send({ reply: n, value });
  }
}
