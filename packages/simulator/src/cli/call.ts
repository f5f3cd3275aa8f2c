import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { StandInProcess } from "./control.js";
import type { Installation } from "./installation.js";
import { encoded } from "./output.js";
import type { CallTrouble } from "./switches.js";

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const OPTIONS = {
  output: { ...text, short: "o" },
  port: { ...text, short: "p" },
  "idle-timeout": text,
  ttl: text,
  device: text,
  type: text,
  filter: text,
  lines: { ...text, short: "n" },
  cached: flag,
  loaded: flag,
  variants: flag,
  show: flag,
  force: flag,
  version: flag,
  help: { ...flag, short: "h" },
} as const;

/** One call of the command line: its arguments and its output. */
export class Call {
  readonly words: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;
  readonly #process: StandInProcess;
  readonly #trouble: CallTrouble;
  #first = true;

  constructor(process: StandInProcess, trouble: CallTrouble) {
    const { positionals, values } = parseArgs({
      args: [...process.argv],
      options: OPTIONS,
      strict: false,
      allowPositionals: true,
    });
    this.words = positionals;
    this.#values = values;
    this.#process = process;
    this.#trouble = trouble;
  }

  /** The command words without their argument: `model download`. */
  get command(): string {
    return this.words.slice(0, 2).join(" ");
  }

  get argv(): readonly string[] {
    return this.#process.argv;
  }

  get json(): boolean {
    return this.#values["output"] === "json";
  }

  /** Aborted when the process has ended. */
  get gone(): AbortSignal {
    return this.#process.gone;
  }

  has(option: keyof typeof OPTIONS): boolean {
    return this.#values[option] !== undefined;
  }

  number(option: keyof typeof OPTIONS): number | null {
    const value = this.#values[option];
    return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : null;
  }

  /** The first option that is not among the known ones, if there is one. */
  unknownOption(known: readonly string[]): string | null {
    const options = this.argv.filter((argument) => argument.startsWith("-"));
    return options.find((argument) => !known.includes(argument.split("=")[0] ?? "")) ?? null;
  }

  print(...lines: readonly string[]): void {
    this.write(lines.map((line) => `${line}\n`).join(""));
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  write(output: string): void {
    if (output === "") return;
    const bytes = encoded(output, this.#trouble.encoding, this.#first);
    this.#first = false;
    this.#process.send({ act: "write", stream: 0, base64: bytes.toString("base64") });
  }

  complain(...lines: readonly string[]): void {
    const bytes = encoded(lines.map((line) => `${line}\n`).join(""), this.#trouble.encoding);
    this.#process.send({ act: "write", stream: 1, base64: bytes.toString("base64") });
  }

  /** Starts a child that keeps the command's stdout and stderr open. */
  holdPipes(milliseconds: number): void {
    if (milliseconds > 0) this.#process.send({ act: "hold", milliseconds });
  }

  /** Rejects when the process ends, and never resolves. */
  forever(): Promise<never> {
    return new Promise((_, reject) => {
      const gone = () => reject(this.gone.reason);
      if (this.gone.aborted) gone();
      else this.gone.addEventListener("abort", gone, { once: true });
    });
  }

  /** Rejects when the process ends. */
  async sleep(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.gone });
  }
}

/** Runs a command and resolves to its exit code. */
export type Command = (call: Call, installation: Installation) => Promise<number> | number;
