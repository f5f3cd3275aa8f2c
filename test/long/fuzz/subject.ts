import { z } from "zod";
import { Executable } from "../../e2e/executable.js";
import { REPORTS_AT_SIGNAL, reportIn, residentMb } from "../process-report.js";
import { isMeasured, loopCpuMs } from "./cpu.js";
import { Ledger } from "./ledger.js";
import type { Memory } from "./memory.js";
import { LONGEST_STAND_MS } from "./plan.js";
import { EARLIER, type Input, OWN_NUMBER, OWN_TEXT } from "./stdin-inputs.js";

const environment = { ...REPORTS_AT_SIGNAL, FOUNDRY_LOG_LEVEL: "error" };
const WAIT_MS = 20_000;
const OWN = new RegExp(`${OWN_NUMBER}|${OWN_TEXT}`, "g");

const error = z.looseObject({ code: z.int(), message: z.string() });
/** JSON-RPC, where MCP leaves the id away in an error whose request could not be read. */
const messageSchema = z.union([
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    method: z.string().startsWith("notifications/"),
    params: z.looseObject({}).optional(),
  }),
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number()]),
    result: z.looseObject({}),
  }),
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number()]).optional(),
    error,
  }),
]);

/** A running executable, and the account of its pending answers. */
export class Subject extends Executable {
  readonly faults: string[] = [];
  readonly #ledger = new Ledger();
  readonly #awaited = new Set<unknown>();
  readonly #died: Promise<never>;
  #count = 0;
  #rest = "";
  #earlier = "0";

  private constructor(endpoint: string) {
    super([], { ...environment, FOUNDRY_ENDPOINT: endpoint });
    // As bytes, to see whether they are UTF-8.
    this.child.stdout?.setEncoding("latin1");
    this.#died = this.ended.then(({ code, signal }) => {
      throw new Error(`The process ended (${code ?? signal}). stderr: ${this.stderr.slice(-2000)}`);
    });
    this.#died.catch(() => {});
  }

  static async start(endpoint: string): Promise<Subject> {
    const subject = new Subject(endpoint);
    const clientInfo = { name: "fuzz", version: "1" };
    const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo };
    subject.#say({ id: "start", method: "initialize", params });
    subject.#say({ method: "notifications/initialized" });
    // The first call loads most of the code, which is not a cost of an input.
    await subject.#answered("tools/call", { name: "health_check", arguments: {} });
    subject.#ledger.close();
    return subject;
  }

  async take({ line, invalid, end, splits }: Input): Promise<void> {
    const plain = Buffer.from(this.#withIds(line.replaceAll("\n", " ")));
    const wrongAt = Math.floor((invalid?.at ?? 0) * plain.length);
    const wrong = Buffer.from((invalid?.bytes ?? []).filter((byte) => byte > 127));
    const whole = Buffer.concat([plain.subarray(0, wrongAt), wrong, plain.subarray(wrongAt)]);
    this.#ledger.sent(whole.toString());
    const bytes = Buffer.concat([whole, Buffer.from(end)]);
    const before = loopCpuMs(this.pid);
    const places = splits.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
    let from = 0;
    for (const at of [...places, bytes.length]) {
      await this.#alive(this.writeBytes(bytes.subarray(from, at)));
      from = at;
    }
    await this.#pong();
    const stoodMs = loopCpuMs(this.pid) - before;
    if (stoodMs > LONGEST_STAND_MS) this.faults.push(`the event loop took ${stoodMs} ms`);
  }

  /** All requests have been answered, and nothing else was sent. */
  async settle(): Promise<string[]> {
    const isPaid = this.until("an answer to each id", () => this.#ledger.isPaid || undefined);
    await isPaid.catch((thrown) => this.faults.push(String(thrown)));
    await this.#pong();
    return [...this.faults, ...this.#ledger.close()];
  }

  /** Empty where it cannot be measured. */
  async memory(): Promise<Memory[]> {
    if (!isMeasured) return [];
    this.stderr = "";
    this.signal("SIGUSR2");
    const { heap } = await this.until("memory", () => reportIn(this.stderr));
    return [{ heapMb: heap / 2 ** 20, residentMb: residentMb(this.pid) }];
  }

  until<T>(what: string, predicate: () => T | undefined): Promise<T> {
    return this.#alive(this.when(what, predicate, WAIT_MS));
  }

  protected override heard(): void {
    const lines = (this.#rest + this.stdout).split("\n");
    this.stdout = "";
    this.stderr = this.stderr.slice(-10_000);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#read(Buffer.from(line, "latin1"));
    super.heard();
  }

  #read(bytes: Buffer): void {
    const shown = (): string => JSON.stringify(bytes.toString().slice(0, 300));
    try {
      const text = new TextDecoder("utf8", { fatal: true, ignoreBOM: true }).decode(bytes);
      const parsed: unknown = JSON.parse(text, (_key, value: unknown) => {
        if (typeof value === "string" && !value.isWellFormed()) {
          this.faults.push(`half a character: ${shown()}`);
        }
        return value;
      });
      const message = messageSchema.parse(parsed);
      if (!("id" in message) || message.id === undefined) return;
      if (this.#awaited.delete(message.id)) return;
      this.#ledger.answered(message.id);
    } catch (thrown) {
      this.faults.push(`no JSON-RPC: ${shown()} ${String(thrown).slice(0, 300)}`);
    }
  }

  #withIds(line: string): string {
    const withEarlier = line.replaceAll(JSON.stringify(EARLIER), this.#earlier);
    return withEarlier.replaceAll(OWN, (own) => {
      this.#count += 1;
      this.#earlier = String(this.#count + 1000);
      return own === OWN_TEXT ? `own ${this.#earlier}` : this.#earlier;
    });
  }

  #pong(): Promise<void> {
    return this.#answered("ping");
  }

  async #answered(method: string, params?: object): Promise<void> {
    this.#count += 1;
    const id = `${method} ${this.#count}`;
    this.#awaited.add(id);
    this.#say({ id, method, params });
    await this.until(`the answer to ${method}`, () => !this.#awaited.has(id) || undefined);
  }

  #say(message: object): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  /** Rejects with why the process ended, when it did. */
  async #alive<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.#died]);
    } catch (thrown) {
      // The pipe breaks before the end is seen.
      if (thrown instanceof Error && "code" in thrown) return this.#died;
      throw thrown;
    }
  }
}
