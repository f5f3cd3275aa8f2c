import { connect, type Socket } from "node:net";
import type * as z from "zod";
import { deferred, isSameSecret, waitFor } from "../lib/index.js";
import type { KeeperAddress } from "../platform/index.js";
import { answerMessageSchema, type Patch, type RequestMessage, statusSchema } from "./messages.js";
import {
  Channel,
  newNonce,
  PROTOCOL,
  proofOf,
  readSecret,
  readySchema,
  welcomeSchema,
} from "./socket.js";

export interface LinkHandlers {
  readonly onPatches: (patches: readonly Patch[]) => void;
  /** The keeper asks to stop a completion that this process runs. */
  readonly onStop: (id: string) => void;
}

type Numbered = Extract<RequestMessage, { n: number }>;
/** A message that gets a reply. */
type Question<M = Numbered> = M extends Numbered ? Omit<M, "n"> : never;

interface Waiting {
  readonly answer: (value: unknown) => void;
  readonly fail: (why: Error) => void;
}

/** A keeper answers a greeting at once; the other side may be no keeper at all. */
const GREETING_MS = 3000;

/** The connection of a server to the keeper. */
export class Link {
  readonly #channel: Channel;
  readonly #handlers: LinkHandlers;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #onGreeting: ((message: unknown) => void) | null = () => {};

  private constructor(socket: Socket, handlers: LinkHandlers) {
    this.#handlers = handlers;
    this.#channel = new Channel(socket, (message) => this.#receive(message));
    // Once for all: a reaction for each question would keep its reply until the end.
    void this.closed.then(() => {
      for (const { fail } of this.#waiting.values()) fail(keeperEnded());
    });
  }

  /**
   * Connects to the running keeper.
   *
   * @returns `absent` if none runs, `other` if what runs cannot be used: it is of another version, or
   *   does not know the secret of this user.
   */
  static async connect(
    address: KeeperAddress,
    handlers: LinkHandlers,
  ): Promise<Link | "absent" | "other"> {
    const secret = await readSecret(address);
    if (secret === null) return "absent";
    const socket = await connected(address.socket);
    if (socket === null) return "absent";
    const link = new Link(socket, handlers);
    const limits = { withinMs: GREETING_MS, isPatient: true };
    const isTrusted = await waitFor(link.#greet(secret), limits);
    if (isTrusted === true) return link;
    link.close();
    return isTrusted === "closed" ? "absent" : "other";
  }

  get closed(): Promise<void> {
    return this.#channel.closed;
  }

  /**
   * @param use Called with the reply before the next message is read, such as a patch of what was found.
   * @throws when the connection ends before the reply.
   */
  async ask<T extends z.ZodType>(
    question: Question,
    schema: T,
    use: (reply: z.output<T>) => void = () => {},
  ): Promise<z.output<T>> {
    if (this.#channel.isClosed) {
      // A caller that tries again after this error finds this connection gone, and opens another one.
      await this.closed;
      throw keeperEnded();
    }
    this.#last += 1;
    const n = this.#last;
    const reply = deferred<z.output<T>>();
    const answer = (value: unknown): void => {
      try {
        const parsed = schema.parse(value);
        use(parsed);
        reply.resolve(parsed);
      } catch (error) {
        reply.reject(error);
      }
    };
    this.#waiting.set(n, { answer, fail: reply.reject });
    this.#channel.send({ ...question, n });
    try {
      return await reply.promise;
    } finally {
      this.#waiting.delete(n);
    }
  }

  /** How many completions and loads the keeper holds. */
  async holds(): Promise<number> {
    const { holds } = await this.ask({ do: "status" }, statusSchema);
    return holds;
  }

  send(notice: Exclude<RequestMessage, Numbered>): void {
    this.#channel.send(notice);
  }

  /** Ends the connection after what has been sent. */
  end(): void {
    this.#channel.end();
  }

  close(): void {
    this.#channel.close();
  }

  async #greet(secret: string): Promise<boolean | "closed"> {
    const nonce = newNonce();
    const welcome = this.#nextGreeting();
    this.#channel.send({ protocol: PROTOCOL, nonce });
    const parsed = welcomeSchema.safeParse(await welcome);
    if (!parsed.success) return this.#channel.isClosed ? "closed" : false;
    const { protocol, proof, nonce: theirs } = parsed.data;
    if (protocol !== PROTOCOL || !isSameSecret(proof, proofOf(secret, "keeper", nonce)))
      return false;
    const ready = this.#nextGreeting();
    this.#channel.send({ proof: proofOf(secret, "server", theirs) });
    if (!readySchema.safeParse(await ready).success) {
      return this.#channel.isClosed ? "closed" : false;
    }
    this.#channel.trust();
    this.#onGreeting = null;
    return true;
  }

  /** `null` if the connection ends first. */
  #nextGreeting(): Promise<unknown> {
    const message = deferred<unknown>();
    this.#onGreeting = message.resolve;
    return Promise.race([message.promise, this.closed.then(() => null)]);
  }

  #receive(message: unknown): void {
    if (this.#onGreeting !== null) {
      this.#onGreeting(message);
      return;
    }
    const parsed = answerMessageSchema.safeParse(message);
    if (!parsed.success) this.close();
    else if ("reply" in parsed.data)
      this.#waiting.get(parsed.data.reply)?.answer(parsed.data.value);
    else if ("patches" in parsed.data) this.#handlers.onPatches(parsed.data.patches);
    else this.#handlers.onStop(parsed.data.stop);
  }
}

const keeperEnded = (): Error => new Error("the keeper has ended");

/** How many completions and loads the keeper of this user holds; `null` if none runs. */
export async function keeperHolds(address: KeeperAddress): Promise<number | null> {
  const link = await Link.connect(address, { onPatches: () => {}, onStop: () => {} });
  if (link === "absent" || link === "other") return null;
  try {
    return await link.holds();
  } catch {
    return null;
  } finally {
    link.close();
  }
}

/** Whether a keeper, or another program, listens at its address. */
export async function isListening({ socket }: KeeperAddress): Promise<boolean> {
  const connection = await connected(socket);
  connection?.destroy();
  return connection !== null;
}

/** `null` if nothing listens there. */
function connected(address: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(null));
  });
}
