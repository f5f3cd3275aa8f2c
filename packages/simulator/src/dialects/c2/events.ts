import type { Engine } from "../../engine/engine.js";
import type { DialectRequest } from "../dialect.js";
import { envelope } from "./errors.js";
import type { Core2Version } from "./version.js";

/** A stream of server-sent events as C2 writes one: each event in its own chunk. */
export class EventStream {
  #timer: NodeJS.Timeout | null = null;
  #overflowed = false;

  constructor(
    private readonly request: DialectRequest,
    private readonly engine: Engine,
    private readonly version: Core2Version,
  ) {
    request.reply.start();
    this.#rest();
  }

  /** Whether its client has gone and this version notices it, or its buffer overflowed. */
  get cancelled(): boolean {
    const gone = this.version.cancelOnDisconnect && this.request.clientGone();
    return gone || this.#overflowed;
  }

  send(value: unknown): void {
    if (this.#overflowed) return;
    this.#rest();
    this.request.reply.event(`data: ${JSON.stringify(value)}\n\n`);
    const limit = this.version.streamBufferLimitBytes;
    if (limit !== null && this.request.reply.pendingBytes > limit) {
      const error = envelope("SSE stream buffer limit exceeded", "server_error");
      this.request.reply.event(`event: error\ndata: ${JSON.stringify(error)}\n\n`);
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

  /** Restarts the timer after which a silent stream gets a comment. */
  #rest(): void {
    const after = this.version.keepAliveCommentMs;
    if (after === null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const sendComment = () => {
      if (this.engine.clock.signal.aborted) return;
      this.request.reply.comment("keep-alive");
      this.#timer = setTimeout(sendComment, after);
    };
    this.#timer = setTimeout(sendComment, after);
  }
}
