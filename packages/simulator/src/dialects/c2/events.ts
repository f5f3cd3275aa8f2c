import type { Engine } from "../../engine/engine.js";
import type { Switches } from "../../switches.js";
import type { DialectRequest } from "../dialect.js";
import { envelope } from "./errors.js";
import { dump } from "./json.js";

/** A stream of server-sent events as C2 writes one: each event in its own chunk. */
export class EventStream {
  #timer: NodeJS.Timeout | null = null;
  #overflowed = false;

  constructor(
    private readonly request: DialectRequest,
    private readonly engine: Engine,
    private readonly switches: Switches,
  ) {
    request.reply.start();
    this.#rest();
  }

  /** Whether generating for it is in vain, and this version notices. */
  get cancelled(): boolean {
    const gone = this.switches.cancelOnDisconnect === "stream" && this.request.clientGone();
    return gone || this.#overflowed;
  }

  /** `data: <json>`, with `event: <name>` before it where there is a name. */
  send(value: unknown, name: string | null = null): void {
    if (this.#overflowed) return;
    this.#rest();
    this.request.reply.event(`${name === null ? "" : `event: ${name}\n`}data: ${dump(value)}\n\n`);
    const limit = this.switches.streamBufferLimitBytes;
    if (limit !== null && this.request.reply.pendingBytes > limit) {
      const error = envelope("SSE stream buffer limit exceeded", "server_error");
      this.request.reply.event(`event: error\ndata: ${dump(error)}\n\n`);
      this.#overflowed = true;
    }
  }

  done(): void {
    if (!this.#overflowed) this.request.reply.event("data: [DONE]\n\n");
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.request.reply.end();
  }

  /** Starts the time after which silence is broken by a comment. */
  #rest(): void {
    const after = this.switches.keepAliveCommentMs;
    if (after === null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const speak = () => {
      if (this.engine.clock.signal.aborted) return;
      this.request.reply.comment("keep-alive");
      this.#timer = setTimeout(speak, after);
    };
    this.#timer = setTimeout(speak, after);
  }
}
