import type { HttpProfile, WholeAnswer } from "./http.js";
import type { Wire } from "./wire.js";

/** A part of an answer, in the order in which a dialect sends them. */
export type Part =
  | { readonly kind: "whole"; readonly answer: WholeAnswer }
  | {
      readonly kind: "start";
      readonly contentType: string | null;
      /** Default 200. */
      readonly status?: number;
    }
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly event: boolean }
  | { readonly kind: "end" }
  | { readonly kind: "cut" };

/** Hands a part on to the wire. */
export type Send = (part: Part) => Promise<void>;

/** A fault between a dialect and the wire: it may change, delay or drop a part. */
export type Tamper = (part: Part, send: Send, wire: Wire) => Promise<void> | void;

export interface ReplyOptions {
  readonly wire: Wire;
  readonly profile: HttpProfile;
  readonly tamper: Tamper | null;
  /** Whether the connection ends after the answer, whatever the dialect says. */
  readonly closes: boolean;
  /** Called with the status of the dialect, before any fault changes it. */
  readonly onStatus: (status: number) => void;
}

/** One answer: a dialect sends it part by part, through a fault if there is one, to the wire. */
export class Reply {
  #queue: Promise<void> = Promise.resolve();
  #finish = (_ended: boolean) => {};
  /** `true` when the answer was sent to its end; `false` when the connection ended before. */
  readonly finished: Promise<boolean>;
  #closes: boolean;

  constructor(private readonly options: ReplyOptions) {
    this.#closes = options.closes;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Whether the connection ends after this answer. */
  get closes(): boolean {
    return this.#closes;
  }

  get pendingBytes(): number {
    return this.options.wire.pendingBytes;
  }

  whole(answer: WholeAnswer): void {
    this.options.onStatus(answer.status);
    this.#give({ kind: "whole", answer });
  }

  /** Sends the status and headers of a stream. Default type: that of the profile. */
  start(contentType: string | null = null): void {
    this.options.onStatus(200);
    this.#give({ kind: "start", contentType });
  }

  event(text: string): void {
    this.#give({ kind: "bytes", bytes: Buffer.from(text), event: true });
  }

  /** Faults that count events do not count a comment. */
  comment(text: string): void {
    this.#give({ kind: "bytes", bytes: Buffer.from(`: ${text}\n\n`), event: false });
  }

  end(): void {
    this.#give({ kind: "end" });
  }

  /** Ends the connection in the middle of a stream, after what was sent, without its last chunk. */
  cut(): void {
    this.#give({ kind: "cut" });
  }

  /** The connection is gone, or a fault ended it: nothing more can be sent. */
  abandon(): void {
    this.#finish(false);
  }

  #give(part: Part): void {
    const { tamper, wire } = this.options;
    if (tamper === null) {
      this.#send(part);
      return;
    }
    this.#queue = this.#queue
      .then(() => tamper(part, async (changed) => this.#send(changed), wire))
      // A fault that waits is cut short when the simulator closes.
      .catch(() => this.abandon());
  }

  #send(part: Part): void {
    switch (part.kind) {
      case "whole": {
        const body = Buffer.from(part.answer.body);
        this.#closes ||= part.answer.close ?? false;
        const headers = this.options.profile.wholeHeaders(part.answer, body.length, this.#closes);
        this.options.wire.head(part.answer.status, headers);
        if (part.answer.framing === "chunked") {
          this.options.wire.chunk(body);
          this.options.wire.lastChunk();
        } else this.options.wire.raw(body);
        this.#finish(this.options.wire.isOpen);
        break;
      }
      case "start": {
        const headers = this.options.profile.streamHeaders(this.#closes);
        const { contentType } = part;
        const changed = (name: string) =>
          contentType !== null && name.toLowerCase() === "content-type" ? contentType : null;
        this.options.wire.head(
          part.status ?? 200,
          headers.map(([name, value]) => [name, changed(name) ?? value] as const),
        );
        break;
      }
      case "bytes":
        this.options.wire.chunk(part.bytes);
        break;
      case "end":
        this.options.wire.lastChunk();
        this.#finish(this.options.wire.isOpen);
        break;
      case "cut":
        this.#closes = true;
        this.options.wire.close();
        this.#finish(true);
        break;
    }
  }
}
