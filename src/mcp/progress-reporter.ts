import type { StatusUpdate } from "../foundry/index.js";
import { counted, toFoundryError } from "../lib/index.js";
import type { Logger } from "../log.js";

/**
 * Progress notifications of one call that asked for them. `progress` counts tokens. A message with a
 * whole number is new text of the model. A message with a fraction is a status in our words, such as
 * "Loading phi-4-mini, 12 s". The protocol requires every number to be greater than the one before.
 * During a download `progress` is its percentage and `total` is 100. After a download the number is more
 * than the tokens.
 */
export interface ProgressUpdate {
  readonly progress: number;
  readonly total?: number;
  readonly message: string;
}

export interface Clock {
  /** Milliseconds since any fixed moment. */
  now(): number;
  /** Runs `callback` in `ms` milliseconds; returns what prevents it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    // The timer of a notification does not keep the process alive.
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** The same, but an error of the callback is logged: thrown from a timer, it would end the process. */
export const guardedClock = (log: Logger): Clock => ({
  now: systemClock.now,
  after: (ms, callback) =>
    systemClock.after(ms, () => {
      try {
        callback();
      } catch (thrown) {
        log.error({ detail: toFoundryError(thrown).detail }, "a timer failed");
      }
    }),
});

/** Nine a second while it runs; the last one, which does not wait, makes it ten. */
const INTERVAL_MS = 120;
/** After this time without news, a sign of life: some hosts end a silent call. */
const HEARTBEAT_MS = 1000;
/** Between the last notification and the result. */
const PAUSE_MS = 50;
const FRACTION = 0.001;
/** Of new text longer than this only the end is sent: no model on a user's machine is that fast. */
const LONGEST_MESSAGE = 1000;

/** @param tokens So far, where the message is new text of the model; `null`: it is a status in words. */
type Send = (update: ProgressUpdate, tokens: number | null) => Promise<void>;

/** The message after which text in the messages begins from its beginning. */
export const TEXT_DROPPED = "The text so far is dropped";

/** What a sign of life says after so many seconds of waiting. */
type Words = (seconds: number) => string;

export class ProgressReporter {
  /** `null` after the end, too. */
  #send: Send | null;
  readonly #clock: Clock;
  #tokens = 0;
  #newText = "";
  /** The first half of a surrogate pair: its other half comes with the next text. */
  #half = "";
  #hasSentText = false;
  /** The host has text that is dropped, and does not know that yet. */
  #isDropped = false;
  /** A sign of life that is due as soon as the rate allows. */
  #status: string | (() => string) | null = null;
  #words: Words | null = null;
  /** The message of the current wait, as it is sent; `null`: nothing is waited for. */
  #waitsFor: string | null = null;
  /** How far a download of this call is. */
  #percent: number | null = null;
  /** How many items this call is about; what is counted then are items. */
  #items: number | null = null;
  #waitingSince = 0;
  #lastProgress = 0;
  #lastSentAt: number | null = null;
  #isSending = false;
  #cancelTimer: (() => void) | null = null;

  /** `send` is `null` for a caller that did not ask: then nothing is done. */
  constructor(send: Send | null, clock = systemClock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** When the last notification was sent, by the clock; `null`: none was. */
  get lastSentAt(): number | null {
    return this.#lastSentAt;
  }

  /**
   * A wait begins: says so at once, and again each second.
   *
   * @param what A text, to which the seconds are added, or a function that words each second itself.
   */
  waiting(what: string | Words): void {
    if (this.#send === null) return;
    this.#waitsFor = null;
    if (typeof what === "string") this.#say(`${what}…`, (seconds) => `${what}, ${seconds} s`);
    else this.#say(what(0), what);
  }

  /**
   * Reports the step before the work itself. A download reports its percentage. When the download has
   * ended, or the service is found, `afterwards` is the next step.
   */
  news({ step, message, percent }: StatusUpdate, afterwards?: string): void {
    if (this.#send === null) return;
    if ((percent === 100 || step === "found") && afterwards !== undefined) {
      this.waiting(afterwards);
      return;
    }
    // The last hundredth is left for what comes after the download.
    if (percent !== null) this.#percent = Math.max(this.#percent ?? 0, Math.min(percent, 99));
    const words = percent === null ? message : `${message}, ${percent.toFixed(1)} %`;
    if (this.#waitsFor === words) return;
    const isNew = this.#waitsFor?.startsWith(message) !== true;
    this.#waitsFor = words;
    this.#status = words;
    if (isNew) this.#waitingSince = this.#clock.now();
    this.#words = (seconds) => `${words}, ${seconds} s`;
    this.#work();
  }

  /** The model gave a token, with the text that is new by it. */
  token(newText: string): void {
    if (this.#send === null) return;
    this.#tokens += 1;
    // The download is over, and tokens have no total.
    this.#percent = null;
    this.#waitsFor = null;
    const text = this.#half + newText;
    this.#half = /[\uD800-\uDBFF]$/.exec(text)?.[0] ?? "";
    this.#newText += text.slice(0, text.length - this.#half.length);
    const status = newText === "" ? `Thinking, ${counted(this.#tokens, "token")}` : null;
    this.#say(status, (seconds) => `Waiting for the next token, ${seconds} s`);
  }

  /** The text so far is no part of the answer. What of it waits to be sent is not sent. */
  textDropped(): void {
    if (this.#send === null) return;
    this.#newText = "";
    this.#half = "";
    this.#isDropped = this.#hasSentText;
    this.#work();
  }

  /** How many of all items have ended; the words are asked for when they are sent. */
  items(done: number, total: number, words: () => string): void {
    if (this.#send === null) return;
    this.#tokens = done;
    this.#items = total;
    this.#say(words, (seconds) => `${words()}, ${seconds} s`);
  }

  /** Sends the remaining text and ends: nothing is sent after the result. */
  finish(): void {
    this.#newText += this.#half;
    // What follows dropped text is sent after that, and here it is the result.
    if (this.#newText !== "" || this.#isDropped) this.#notify();
    this.#send = null;
    this.#cancelTimer?.();
  }

  /**
   * Resolves when the host has had time to read the last notification, before the result. SDKs that read both
   * at once take the token of the notification for unknown, and some hosts then close the connection.
   */
  async pauseBeforeResult(): Promise<void> {
    if (this.#lastSentAt === null) return;
    const wait = this.#lastSentAt + PAUSE_MS - this.#clock.now();
    if (wait > 0) await new Promise<void>((resolve) => void this.#clock.after(wait, resolve));
  }

  /**
   * A wait begins.
   *
   * @param status What is said once, as soon as the rate allows; `null`: nothing, since new text is sent instead.
   * @param words What each sign of life says.
   */
  #say(status: string | (() => string) | null, words: Words): void {
    this.#status = status;
    this.#words = words;
    this.#waitingSince = this.#clock.now();
    this.#work();
  }

  /** Sends what is due, or sets the timer for it. There is one timer at most. */
  #work(): void {
    if (this.#send === null) return;
    const hasNews = this.#isDropped || this.#newText !== "" || this.#status !== null;
    const interval = hasNews ? INTERVAL_MS : HEARTBEAT_MS;
    const wait = this.#lastSentAt === null ? 0 : this.#lastSentAt + interval - this.#clock.now();
    // Backpressure: while a notification is unsent, new text is collected and sent in one piece later.
    if (wait <= 0 && !this.#isSending) this.#notify();
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(wait > 0 ? wait : INTERVAL_MS, () => this.#work());
  }

  #notify(): void {
    if (this.#isDropped) {
      this.#isDropped = false;
      this.#hasSentText = false;
      // Below the number of the text that follows, which is a whole one.
      this.#deliver(this.#lastProgress + FRACTION, TEXT_DROPPED);
      return;
    }
    if (this.#newText !== "") {
      const message = tailOf(this.#newText, LONGEST_MESSAGE);
      this.#newText = "";
      this.#hasSentText = true;
      this.#status = null;
      const next = Math.floor(this.#lastProgress) + 1;
      this.#deliver(Math.max(this.#tokens, next), message, this.#tokens);
      return;
    }
    const seconds = Math.round((this.#clock.now() - this.#waitingSince) / 1000);
    const status = typeof this.#status === "function" ? this.#status() : this.#status;
    const message = status ?? this.#words?.(seconds);
    this.#status = null;
    if (message === undefined) return;
    const percent = this.#items === null ? this.#percent : null;
    const done = Math.max(this.#tokens, percent ?? 0);
    // A percentage is sent unchanged. Without a new one the number only has to grow.
    const isCounted = percent !== null || this.#items !== null;
    const isNew = isCounted && done > this.#lastProgress;
    this.#deliver(isNew ? done : Math.max(done, this.#lastProgress) + FRACTION, message);
  }

  #deliver(progress: number, message: string, tokens: number | null = null): void {
    this.#lastProgress = Math.round(progress / FRACTION) * FRACTION;
    this.#lastSentAt = this.#clock.now();
    this.#isSending = true;
    const sent = (): void => {
      this.#isSending = false;
    };
    // A caller that has gone needs no progress, and its call ends by its own signal.
    const whole = this.#items ?? (this.#percent === null ? null : 100);
    const total = whole === null ? {} : { total: whole };
    const update = { progress: Number(this.#lastProgress.toFixed(3)), ...total, message };
    this.#send?.(update, tokens).then(sent, sent);
  }
}

/** The end of a text, after an ellipsis where something is left out. */
export function tailOf(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return `…${text.slice(1 - longest).replace(/^[\uDC00-\uDFFF]/, "")}`;
}
