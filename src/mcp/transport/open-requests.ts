import { CancelledNotificationSchema } from "@modelcontextprotocol/core";
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/server";

/** Counts the requests of a host that are to be answered. One that is cancelled gets no answer. */
export class OpenRequests {
  /** A host may use an id twice; both are answered. */
  readonly #counts = new Map<RequestId, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A message of the host: a request, or the cancellation of one. */
  note(message: JSONRPCMessage): void {
    if ("method" in message && "id" in message) {
      this.#counts.set(message.id, (this.#counts.get(message.id) ?? 0) + 1);
      this.#size += 1;
      return;
    }
    const id = CancelledNotificationSchema.safeParse(message).data?.params.requestId;
    // The SDK does not cancel a request with the id 0 or "".
    if (id) this.answered(id);
  }

  answered(id: RequestId | undefined): void {
    const count = id === undefined ? undefined : this.#counts.get(id);
    if (id === undefined || count === undefined) return;
    if (count === 1) this.#counts.delete(id);
    else this.#counts.set(id, count - 1);
    this.#size -= 1;
  }
}
