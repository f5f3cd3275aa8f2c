import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** Characters of events that are kept for a session; the oldest are dropped first. */
const MOST_CHARACTERS = 1_000_000;

interface LoggedEvent {
  readonly id: number;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly characters: number;
}

/** Keeps the latest events of a session in memory, so that an interrupted stream can be resumed. */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  #characters = 0;
  #lastId = 0;

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const characters = JSON.stringify(message).length;
    this.#lastId += 1;
    this.#events.push({ id: this.#lastId, streamId, message, characters });
    this.#characters += characters;
    while (this.#characters > MOST_CHARACTERS && this.#events.length > 1) {
      this.#characters -= this.#events.shift()?.characters ?? 0;
    }
    return String(this.#lastId);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#find(eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = this.#find(lastEventId);
    if (last === undefined) throw new Error("This event is not kept any more.");
    for (const { id, streamId, message } of [...this.#events]) {
      if (id > last.id && streamId === last.streamId) await send(String(id), message);
    }
    return last.streamId;
  }

  #find(eventId: string): LoggedEvent | undefined {
    return this.#events.find(({ id }) => String(id) === eventId);
  }
}
