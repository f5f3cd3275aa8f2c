import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** Events that are kept for a session. Above it, the older half is dropped. */
const MOST_EVENTS = 1000;

interface LoggedEvent {
  readonly id: number;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
}

/** Keeps the latest events of a session in memory, so that an interrupted stream can be resumed. */
export class EventLog {
  #events: LoggedEvent[] = [];
  #lastId = 0;

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#lastId += 1;
    this.#events.push({ id: this.#lastId, streamId, message });
    if (this.#events.length > MOST_EVENTS) this.#events = this.#events.slice(-MOST_EVENTS / 2);
    return String(this.#lastId);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#events.find(({ id }) => String(id) === eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = this.#events.find(({ id }) => String(id) === lastEventId);
    if (last === undefined) throw new Error("This event is not kept any more.");
    for (const { id, streamId, message } of this.#events) {
      if (id > last.id && streamId === last.streamId) await send(String(id), message);
    }
    return last.streamId;
  }
}
