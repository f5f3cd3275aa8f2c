import type { ModelStore } from "../../models/store.js";
import type { ChatMessage } from "./messages.js";

const KEPT_RESPONSES = 20;
const KEPT_SESSIONS = 5;

export interface StoredResponse {
  readonly id: string;
  readonly modelId: string;
  readonly previousId: string | null;
  readonly object: Record<string, unknown>;
  /** What was asked, each with the id it was given. */
  readonly input: readonly { readonly id: string }[];
  /** The conversation up to and with this response. */
  readonly messages: readonly ChatMessage[];
}

/**
 * The responses of one family that were made with `store: true`: the last 20, of which the last
 * five hold their model in memory (`docs/foundry-local.md`, section 3).
 */
export class ResponseStore {
  readonly #responses = new Map<string, StoredResponse>();
  #sessions: string[] = [];

  constructor(private readonly models: ModelStore) {}

  add(response: StoredResponse): void {
    this.#responses.set(response.id, response);
    this.models.hold(response.modelId);
    this.#sessions.push(response.id);
    const [oldestSession] = this.#sessions;
    if (this.#sessions.length > KEPT_SESSIONS && oldestSession) this.#endSession(oldestSession);
    const [oldest] = this.#responses.keys();
    if (this.#responses.size > KEPT_RESPONSES && oldest) this.remove(oldest);
  }

  get(id: string): StoredResponse | null {
    return this.#responses.get(id) ?? null;
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    this.#endSession(id);
    return this.#responses.delete(id);
  }

  /** Removes one and all that continue it. */
  removeChain(id: string): boolean {
    for (const response of this.newestFirst()) {
      if (response.previousId === id) this.removeChain(response.id);
    }
    return this.remove(id);
  }

  newestFirst(): StoredResponse[] {
    return [...this.#responses.values()].reverse();
  }

  #endSession(id: string): void {
    if (!this.#sessions.includes(id)) return;
    this.#sessions = this.#sessions.filter((session) => session !== id);
    const model = this.#responses.get(id)?.modelId;
    if (model !== undefined) this.models.release(model);
  }
}
