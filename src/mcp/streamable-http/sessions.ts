import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import {
  isInitializeRequest,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type McpServer,
  type RequestId,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { quoted, RecentMap, untilAborted } from "../../lib/index.js";
import { jsonRpcError } from "./responses.js";

/** A client has one, and some forget to end theirs. */
const MOST_SESSIONS = 500;
/** A session without a request for so long is ended. */
const IDLE_MS = 30 * 60_000;
const CHECK_MS = 60_000;
/** When a client whose stream broke asks for the rest of it. */
const RETRY_MS = 1000;
const BOTH_TYPES = "application/json, text/event-stream";

interface Session {
  readonly id: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  usedAt: number;
  /** Requests in flight. */
  open: number;
  /** Requests without an answer, and whether their caller still waits for it. */
  readonly ids: Map<RequestId, { isWaiting: boolean }>;
  /** Aborted when its client ends it: the SDK then leaves requests whose answer is JSON without one. */
  readonly deleted: AbortSignal;
}

interface SessionParts {
  readonly createServer: (sessionId: string) => Server | McpServer;
  /** Of the body of a request. */
  readonly maxBytes: number;
  readonly report: (error: Error) => void;
}

/** The sessions of clients with a handshake (protocol versions up to 2025-11-25). */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #parts: SessionParts;
  readonly #timer: NodeJS.Timeout;
  /** Until an idle session has ended, it is not logged again that there is no room. */
  #isFullLogged = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#endIdle(), CHECK_MS).unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Answers one request of the older era.
   *
   * @param ended Resolves when its response has ended, in whatever way.
   */
  async handle(request: Request, parsedBody: unknown, ended: Promise<void>): Promise<Response> {
    const accepted = request.headers.get("accept") ?? "";
    // The SDK refuses a message whose sender does not name both.
    if (request.method === "POST") request.headers.set("accept", BOTH_TYPES);
    // With initialize, the id of a session is ignored: some clients still send the one that they have lost.
    if (!isInitializeRequest(parsedBody)) {
      const id = request.headers.get("mcp-session-id");
      if (id === null) {
        const message = "Mcp-Session-Id is missing. Send a valid initialize request first.";
        return jsonRpcError(400, -32000, message);
      }
      const session = this.#sessions.get(id);
      if (session !== undefined) return this.#answer(session, request, parsedBody, ended);
      return jsonRpcError(404, -32001, "There is no such session. Send initialize again.");
    }
    if (this.#sessions.size >= MOST_SESSIONS) {
      this.#noteFull();
      if (!this.#endLeastUsed()) {
        const message = `All ${MOST_SESSIONS} sessions are in use. Try again later.`;
        return jsonRpcError(503, -32000, message);
      }
    }
    const isStreamed = accepted.includes("text/event-stream");
    const session = await this.#begin(isStreamed);
    // Without a stream, no question reaches the user of the client.
    const asksNothing = { params: { ...parsedBody.params, capabilities: {} } };
    const body = isStreamed ? parsedBody : { ...parsedBody, ...asksNothing };
    const response = await this.#answer(session, request, body, ended);
    // The client has not got the id of the session.
    if (!response.ok) this.#end(session);
    return response;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const transports = [...this.#sessions.values()].map(({ transport }) => transport);
    this.#sessions.clear();
    await Promise.all(transports.map((transport) => transport.close()));
  }

  /** @param isStreamed Whether the client reads streams. Otherwise each answer is JSON, without progress. */
  async #begin(isStreamed: boolean): Promise<Session> {
    const id = randomUUID();
    const deleting = new AbortController();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: new EventLog(),
      enableJsonResponse: !isStreamed,
      retryInterval: RETRY_MS,
      maxRequestBodySize: this.#parts.maxBytes,
      onsessionclosed: () => {
        this.#sessions.delete(id);
        deleting.abort();
      },
    });
    const ids: Session["ids"] = new Map();
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      if (!("method" in message) && message.id !== undefined) ids.delete(message.id);
      return send(message, options);
    };
    await this.#parts.createServer(id).connect(transport);
    const deleted = deleting.signal;
    const session = { id, transport, usedAt: performance.now(), open: 0, ids, deleted };
    this.#sessions.set(id, session);
    return session;
  }

  /**
   * The SDK finds the response of a request by its id. So an id that comes twice is refused, or the first of
   * the two callers gets no answer. One that has left may use its id again, and must not get the first answer.
   */
  async #answer(
    session: Session,
    request: Request,
    parsedBody: unknown,
    ended: Promise<void>,
  ): Promise<Response> {
    const ids = idsIn(parsedBody);
    const isTaken = (id: RequestId, index: number): boolean =>
      session.ids.get(id)?.isWaiting === true || ids.indexOf(id) < index;
    const taken = ids.find(isTaken);
    if (taken !== undefined) {
      const shown = typeof taken === "string" ? quoted(taken) : taken;
      const message = `The id ${shown} is in use by another request. Give each its own.`;
      this.#parts.report(new Error(message));
      return jsonRpcError(400, -32600, message, taken);
    }
    session.usedAt = performance.now();
    session.open += 1;
    const own = { isWaiting: true };
    void ended.then(() => {
      own.isWaiting = false;
      session.open -= 1;
      session.usedAt = performance.now();
    });
    const left = ids.filter((id) => session.ids.has(id));
    if (left.length > 0) await this.#cancel(session, left);
    for (const id of ids) session.ids.set(id, own);
    const answered = session.transport.handleRequest(request, { parsedBody });
    // Such as the one that ends the session.
    if (ids.length === 0) return answered;
    try {
      const response = await untilAborted(answered, session.deleted);
      // It was refused before it began.
      if (!response.ok) for (const id of ids) session.ids.delete(id);
      return response;
    } catch (thrown) {
      if (!session.deleted.aborted) throw thrown;
      return jsonRpcError(404, -32001, "The session has been ended.", ids[0]);
    }
  }

  /** As the client would have: it has left without a notification. Resolves when they are answered. */
  async #cancel({ transport }: Session, ids: readonly RequestId[]): Promise<void> {
    for (const requestId of ids) {
      const params = { requestId, reason: "Its id is used again" };
      transport.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params });
    }
    await setImmediate();
  }

  #noteFull(): void {
    if (this.#isFullLogged) return;
    this.#isFullLogged = true;
    this.#parts.report(
      new Error(
        `There are ${MOST_SESSIONS} sessions. A new one ends the one that is idle longest.`,
      ),
    );
  }

  #endIdle(): void {
    for (const session of this.#sessions.values()) {
      if (session.open > 0 || performance.now() - session.usedAt <= IDLE_MS) continue;
      this.#end(session);
      this.#isFullLogged = false;
    }
  }

  /** Ends the session that has been idle for longest; returns whether there was one. */
  #endLeastUsed(): boolean {
    const [oldest] = [...this.#sessions.values()]
      .filter(({ open }) => open === 0)
      .sort((one, other) => one.usedAt - other.usedAt);
    if (oldest === undefined) return false;
    this.#end(oldest);
    return true;
  }

  #end({ id, transport }: Session): void {
    if (this.#sessions.delete(id)) void transport.close();
  }
}

/** The ids of the requests in a body, which is one message or a list of them. */
const idsIn = (body: unknown): RequestId[] =>
  [body].flat().flatMap((message) => (isJSONRPCRequest(message) ? [message.id] : []));

/** Characters of events that are kept for a session; the oldest are dropped first. */
const MOST_CHARACTERS = 1_000_000;
/** Lost streams that are remembered; the oldest are forgotten first. */
const MOST_LOST = 1000;

interface LoggedEvent {
  readonly number: number;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly characters: number;
}

/**
 * Keeps the latest events of a session in memory, so that an interrupted stream can be resumed. The id of an event
 * names its stream: a client whose last event is not kept any more gets what is kept, and what comes.
 */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  /** By stream its last answer that is not kept: a client that lacks it would resume again and again. */
  readonly #lost = new RecentMap<string, number>(MOST_LOST);
  /** Also an id of another session is none of this one. */
  readonly #name = randomUUID();
  #characters = 0;
  #lastNumber = 0;

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const characters = JSON.stringify(message).length;
    this.#lastNumber += 1;
    const event = { number: this.#lastNumber, streamId, message, characters };
    this.#events.push(event);
    this.#characters += characters;
    while (this.#characters > MOST_CHARACTERS && this.#events.length > 1) this.#dropOldest();
    return this.#idOf(event);
  }

  #dropOldest(): void {
    const dropped = this.#events.shift();
    if (dropped === undefined) return;
    this.#characters -= dropped.characters;
    const isAnswer = "result" in dropped.message || "error" in dropped.message;
    if (isAnswer) this.#lost.set(dropped.streamId, dropped.number);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#read(eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = this.#read(lastEventId);
    if (last === undefined) throw new Error("This session has no such event.");
    for (const event of [...this.#events]) {
      const isMissed = event.number > last.number && event.streamId === last.streamId;
      if (isMissed) await send(this.#idOf(event), event.message);
    }
    return last.streamId;
  }

  #idOf({ number, streamId }: LoggedEvent): string {
    return `${number}_${this.#name}_${streamId}`;
  }

  #read(eventId: string): Pick<LoggedEvent, "number" | "streamId"> | undefined {
    const [, digits, name, streamId] = /^(\d+)_([\da-f-]+)_(.+)$/.exec(eventId) ?? [];
    const number = Number(digits);
    if (streamId === undefined || name !== this.#name || number > this.#lastNumber)
      return undefined;
    return number < (this.#lost.get(streamId) ?? 0) ? undefined : { number, streamId };
  }
}
