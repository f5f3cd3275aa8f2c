import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { z } from "zod";
import { type Simulator, startSimulator } from "../../src/simulator/index.js";
import { Executable } from "../e2e/executable.js";
import { MODELS, PROMPT_ANSWER } from "../e2e/simulated.js";
import { INPUTS, PER_RUN, parameters, TEST_TIMEOUT_MS } from "./plan.js";
import { EARLIER_ID, type Input, input, OWN_ID } from "./stdin-inputs.js";

const LONGEST_STAND_MS = 250;
/** Of utime and stime in `/proc`, on every Linux that Node runs on. */
const MS_PER_TICK = 10;
const isLinux = process.platform === "linux";

/** MCP leaves the id away, where JSON-RPC has null, in an error whose request could not be read. */
const messageSchema = z.object({ jsonrpc: z.literal("2.0"), id: z.unknown().optional() });
const requestSchema = z.object({
  id: z.string().startsWith("own-"),
  method: z.unknown(),
  result: z.undefined(),
  error: z.undefined(),
});

/** CPU time of the thread of the event loop: that of the collector's threads stops nothing. */
function loopCpuMs(pid: number): number {
  if (!isLinux) return 0;
  const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8").split(") ")[1]?.split(" ");
  return (Number(fields?.[11]) + Number(fields?.[12])) * MS_PER_TICK;
}

function residentMb(pid: number): number {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) / 1024;
}

/** The ids that must be answered: requests, and what is wrong but has an id and a method. */
function answeredIds(line: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.replace(/^\ufeff/, ""));
  } catch {
    return [];
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).flatMap((element: unknown) => {
    const request = requestSchema.safeParse(element);
    const hasMethod = typeof element === "object" && element !== null && "method" in element;
    return request.success && hasMethod ? [request.data.id] : [];
  });
}

/** One process, what it owes, and what it has said. */
class Subject extends Executable {
  readonly answers = new Map<unknown, number>();
  readonly owed = new Set<string>();
  readonly faults: string[] = [];
  #count = 0;
  #rest = "";
  #earlier = "none";

  protected override heard(): void {
    const lines = (this.#rest + this.stdout).split("\n");
    this.stdout = "";
    this.stderr = "";
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#read(line);
    super.heard();
  }

  #read(line: string): void {
    try {
      const { id } = messageSchema.parse(JSON.parse(line));
      if (!line.isWellFormed()) this.faults.push(`not well-formed: ${line.slice(0, 300)}`);
      if (typeof id !== "string") return;
      const count = (this.answers.get(id) ?? 0) + 1;
      this.answers.set(id, count);
      if (id.startsWith("own-") && count > 1) this.faults.push(`answered twice: ${id}`);
      this.owed.delete(id);
    } catch {
      this.faults.push(`no JSON-RPC: ${line.slice(0, 300)}`);
    }
  }

  async take({ line, invalid, end, split }: Input): Promise<void> {
    if (line.includes(EARLIER_ID)) this.owed.delete(this.#earlier);
    const text = line
      .replaceAll("\n", " ")
      .replaceAll(EARLIER_ID, this.#earlier)
      .replaceAll(OWN_ID, () => {
        this.#count += 1;
        this.#earlier = `own-${this.#count}`;
        return this.#earlier;
      });
    if (!invalid) for (const id of answeredIds(text)) this.owed.add(id);
    const bytes = Buffer.concat([
      Buffer.from(text),
      invalid ? Buffer.from([0xc3, 0x28, 0xff]) : Buffer.alloc(0),
      Buffer.from(end),
    ]);
    const at = Math.floor(split * bytes.length);
    await this.writeBytes(bytes.subarray(0, at));
    const before = loopCpuMs(this.pid);
    await this.writeBytes(bytes.subarray(at));
    await this.pong();
    const stoodMs = loopCpuMs(this.pid) - before;
    if (stoodMs > LONGEST_STAND_MS) this.faults.push(`the event loop took ${stoodMs} ms`);
  }

  async pong(): Promise<void> {
    this.#count += 1;
    const id = `ping-${this.#count}`;
    this.write(`${JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })}\n`);
    await this.when(
      "the answer to a ping",
      () => {
        if (this.isEnded) throw new Error("the process ended");
        return this.answers.get(id);
      },
      60_000,
    );
    this.answers.delete(id);
  }

  get isEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  settled(): Promise<true> {
    return this.when("an answer to each id", () => this.owed.size === 0 || undefined, 60_000);
  }
}

let subject: Subject | null = null;
let service: Simulator | null = null;
afterAll(async () => {
  await subject?.destroy();
  await service?.close();
});

async function started(): Promise<Subject> {
  service ??= await startSimulator({ models: MODELS.filter(({ id }) => id === PROMPT_ANSWER) });
  const next = new Subject([], { FOUNDRY_ENDPOINT: service.url, FOUNDRY_LOG_LEVEL: "error" });
  next.write(
    `${JSON.stringify({ jsonrpc: "2.0", id: "start", method: "initialize", params: { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "fuzz", version: "1" } } })}\n`,
  );
  next.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  await next.pong();
  return next;
}

it(`serves on through ${INPUTS} inputs, and answers each id once`, {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  let beganMb = 0;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(input, { minLength: PER_RUN, maxLength: PER_RUN, size: "max" }),
      async (inputs) => {
        subject ??= await started();
        const current = subject;
        try {
          for (const given of inputs) await current.take(given);
          await current.settled();
          expect(current.faults).toEqual([]);
        } catch (thrown) {
          subject = null;
          await current.destroy();
          throw thrown;
        }
        runs += 1;
        if (isLinux && runs === Math.ceil(parameters.numRuns / 5)) {
          beganMb = residentMb(current.pid);
        }
      },
    ),
    parameters,
  );
  if (isLinux && subject !== null) {
    expect(residentMb(subject.pid)).toBeLessThan(beganMb * 1.5 + 100);
  }
});
