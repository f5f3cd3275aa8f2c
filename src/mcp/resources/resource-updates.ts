import * as z from "zod";
import { type CompletionChange, type Completions, hasEnded } from "../../jobs/index.js";
import type { Backend } from "../backend.js";
import { systemClock } from "../progress-reporter.js";
import { completionUri, partOf, stateUri } from "./completion-resource.js";

/** Notifies a host that a resource has changed. Resolves when it has taken the notification. */
type Notify = (uri: string) => Promise<void>;

/** The interval of updates about growing text. */
const INTERVAL_MS = 1000;
/** Subscriptions that one host requests. */
export const MOST_SUBSCRIPTIONS = 1000;

export interface UpdateOptions {
  /**
   * Of which completions the host is notified: of those that it subscribed to, of all, where something
   * else keeps its subscriptions, or of none.
   */
  readonly notifies: "subscribed" | "all" | "none";
  readonly updated: Notify;
}

/** Notifies one host of changes of completions until it is closed. */
export class ResourceUpdates {
  readonly #notify: Notify;
  readonly #unfollow: () => void;
  /** By completion, then by the resource of it. */
  readonly #subscribed = new Map<string, Map<string, Throttle>>();
  #isClosed = false;

  constructor(completions: Pick<Completions, "onChange">, { notifies, updated }: UpdateOptions) {
    this.#notify = updated;
    const onChange = (id: string, what: CompletionChange): void => {
      if (notifies === "all" && what === "started") {
        for (const uri of [completionUri(id), stateUri(id)]) this.#follow(id, uri);
      }
      this.#changed(id, what);
    };
    this.#unfollow = notifies === "none" ? () => {} : completions.onChange(onChange);
  }

  get subscriptions(): number {
    return [...this.#subscribed.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Returns whether there was room for it. */
  subscribe(id: string, uri: string): boolean {
    const isNew = this.#subscribed.get(id)?.has(uri) !== true;
    if (isNew && this.subscriptions >= MOST_SUBSCRIPTIONS) return false;
    this.#follow(id, uri);
    return true;
  }

  /** The same without a limit, for a host that follows every completion. */
  #follow(id: string, uri: string): void {
    const own = this.#subscribed.get(id) ?? new Map<string, Throttle>();
    if (own.has(uri) || this.#isClosed) return;
    own.set(uri, this.#throttleOf(uri));
    this.#subscribed.set(id, own);
  }

  unsubscribe(id: string, uri: string): void {
    const own = this.#subscribed.get(id);
    own?.get(uri)?.stop();
    own?.delete(uri);
    if (own?.size === 0) this.#subscribed.delete(id);
  }

  /** For a subscriber to an ended completion, which has no further updates. */
  notifyOnce(uri: string): void {
    // After the answer to the subscription.
    systemClock.after(0, () => {
      if (!this.#isClosed) this.#throttleOf(uri).now();
    });
  }

  #changed(id: string, what: CompletionChange): void {
    // `ended` comes right after it.
    if (what === "completed") return;
    const isUrgent = what === "status" || what === "ended";
    const isOver = what === "ended" || what === "gone";
    for (const throttle of this.#subscribed.get(id)?.values() ?? []) {
      if (what === "gone") throttle.stop();
      else if (isUrgent) throttle.now();
      else throttle.happened();
    }
    // Nothing changes any more.
    if (isOver) this.#subscribed.delete(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#unfollow();
    for (const own of this.#subscribed.values())
      for (const throttle of own.values()) throttle.stop();
    this.#subscribed.clear();
  }

  #throttleOf(uri: string): Throttle {
    return new Throttle(() => this.#notify(uri));
  }
}

/** Limits how often a notification is sent; never loses the last one. */
class Throttle {
  readonly #send: () => Promise<void>;
  #lastAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;
  #isSending = false;
  /** Another notification is due after the one being sent. */
  #isDue = false;
  #isStopped = false;

  /** @param send Resolves when the notification has been written. */
  constructor(send: () => Promise<void>) {
    this.#send = send;
  }

  /** Sends at once if the interval has passed, else when it has. */
  happened(): void {
    if (this.#isStopped || this.#cancelTimer !== null) return;
    const wait = this.#lastAt + INTERVAL_MS - systemClock.now();
    if (wait <= 0) this.now();
    else this.#cancelTimer = systemClock.after(wait, () => this.now());
  }

  /** Sends without waiting for the interval. */
  now(): void {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    // Backpressure: while a notification is unsent, only remember that another one is due.
    if (this.#isSending) {
      this.#isDue = true;
      return;
    }
    this.#isSending = true;
    this.#lastAt = systemClock.now();
    const sent = (): void => {
      this.#isSending = false;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.now();
    };
    // A failed send means that the host has disconnected.
    this.#send().then(sent, sent);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}

/** A `subscriptions/listen`, or its acknowledgement: both have what is listened for. */
const listenSchema = z.looseObject({
  params: z.looseObject({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()) }),
  }),
});

/**
 * The URIs in a message of the later era about subscriptions whose completion has ended. It has no further
 * updates, so a host that waits for one would wait for ever.
 */
export async function endedAmong(
  { client: { completions }, kept }: Backend,
  message: unknown,
): Promise<readonly string[]> {
  const heard = listenSchema.safeParse(message);
  if (!heard.success) return [];
  const uris = heard.data.params.notifications.resourceSubscriptions.slice(0, MOST_SUBSCRIPTIONS);
  const idOf = (uri: string): string => partOf(uri)?.id ?? "";
  const ids = uris.map(idOf).filter((id) => id !== "");
  await kept.find(ids);
  const ended = new Set(
    completions
      .list()
      .filter(hasEnded)
      .map(({ id }) => id),
  );
  return uris.filter((uri) => ended.has(idOf(uri)));
}
