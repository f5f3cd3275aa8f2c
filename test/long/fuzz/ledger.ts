import { z } from "zod";

/** A request, or an invalid message with an id: both are answered. A response is not. */
const owedSchema = z
  .looseObject({ id: z.union([z.string(), z.number()]) })
  .refine((message) => "method" in message || !("result" in message || "error" in message));
const cancelSchema = z.looseObject({
  method: z.literal("notifications/cancelled"),
  params: z.looseObject({ requestId: z.union([z.string(), z.number()]) }),
});

/**
 * Answers to one id: as many as requests, or fewer where one was cancelled. Of two requests with one id
 * a cancellation ends the later one, so that the answer to the first may come much later.
 */
interface Account {
  owed: number;
  answered: number;
  isOptional: boolean;
}

export class Ledger {
  readonly #accounts = new Map<string | number, Account>();

  sent(line: string): void {
    const parsed = parse(line);
    if (parsed === undefined) this.#mayBeAnswered(line);
    const messages: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
    // A list as long is refused as a whole.
    if (messages.length > 100) return;
    for (const message of messages) {
      const owed = owedSchema.safeParse(message).data;
      if (owed !== undefined) this.#account(owed.id).owed += 1;
      const cancelled = cancelSchema.safeParse(message).data;
      if (cancelled !== undefined) this.#account(cancelled.params.requestId).isOptional = true;
    }
  }

  /** What is nested too deep is left out before the line is read, whatever it is: the rest has an id. */
  #mayBeAnswered(line: string): void {
    for (const [, id] of line.matchAll(/"id":(\d+)/g)) {
      const account = this.#account(Number(id));
      account.owed += 1;
      account.isOptional = true;
    }
  }

  answered(id: string | number): void {
    this.#account(id).answered += 1;
  }

  /** Whether each id that must be answered has been. */
  get isPaid(): boolean {
    return [...this.#accounts.values()].every(
      ({ owed, answered, isOptional }) => isOptional || answered >= owed,
    );
  }

  /** Resets the account; returns what was wrong. */
  close(): string[] {
    const wrong = [...this.#accounts].filter(
      ([, { owed, answered, isOptional }]) => answered > owed || (answered < owed && !isOptional),
    );
    const late = [...this.#accounts].flatMap(([id, { owed, answered, isOptional }]) =>
      isOptional && answered < owed
        ? [[id, { owed: owed - answered, answered: 0, isOptional }] as const]
        : [],
    );
    this.#accounts.clear();
    for (const [id, account] of late) this.#accounts.set(id, account);
    return wrong.map(
      ([id, { owed, answered }]) =>
        `${answered} answers to ${owed} requests ${JSON.stringify(id).slice(0, 200)}`,
    );
  }

  #account(given: string | number): Account {
    // Half a character is written as the character for what cannot be read.
    const id = typeof given === "string" ? given.toWellFormed() : given;
    const known = this.#accounts.get(id);
    if (known !== undefined) return known;
    const account = { owed: 0, answered: 0, isOptional: false };
    this.#accounts.set(id, account);
    return account;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
