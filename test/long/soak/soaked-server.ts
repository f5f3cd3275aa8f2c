import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { Executable, type Settings } from "../../e2e/executable.js";
import { type ProcessReport, REPORTS_AT_SIGNAL, reportIn, residentMb } from "../process-report.js";

/** The resources of a process at one moment. */
export interface Held {
  readonly sockets: number;
  readonly pipes: number;
  readonly files: number;
  readonly children: number;
  /** Timers that keep the process alive. */
  readonly timers: number;
}

export interface Sample {
  readonly minute: number;
  readonly heapMb: number;
  readonly residentMb: number;
}

const REPORT_MS = 60_000;

/** The executable under test, with its stderr and its resources. */
export class SoakedServer extends Executable {
  /** Lines of stderr that must not be there, such as an unhandled rejection. */
  readonly faults: string[] = [];
  readonly samples: Sample[] = [];
  #rest = "";
  #said = "";

  constructor(
    readonly name: string,
    args: readonly string[],
    settings: Settings,
  ) {
    super(args, { FOUNDRY_LOG_LEVEL: "warn", ...REPORTS_AT_SIGNAL, ...settings });
  }

  async report(): Promise<ProcessReport> {
    this.#said = "";
    this.signal("SIGUSR2");
    return this.when("the report", () => reportIn(this.#said), REPORT_MS);
  }

  async sample(minute: number): Promise<void> {
    const { heap } = await this.report();
    this.samples.push({ minute, heapMb: heap / 2 ** 20, residentMb: residentMb(this.pid) });
  }

  async held(): Promise<Held> {
    const { resources } = await this.report();
    const kinds = descriptorsOf(this.pid);
    const count = (pattern: RegExp): number => kinds.filter((kind) => pattern.test(kind)).length;
    return {
      sockets: count(/^socket:/),
      pipes: count(/^pipe:/),
      files: count(/^\//),
      children: childrenOf(this.pid),
      timers: resources.filter((kind) => kind === "Timeout").length,
    };
  }

  protected override heard(): void {
    const lines = (this.#rest + this.stderr).split("\n");
    this.stderr = "";
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#read(line);
    super.heard();
  }

  #read(line: string): void {
    if (line.startsWith("left ")) {
      this.#said = line;
      return;
    }
    this.saw(line);
    const isLog = /^\{"level":/.test(line) || line === "" || line.includes(" serves MCP at ");
    if (!isLog || /was not handled|was not caught/.test(line)) {
      this.faults.push(`${this.name} wrote on stderr: ${line.slice(0, 2000)}`);
    }
  }

  /** One line of stderr. */
  protected saw(_line: string): void {}
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // The descriptor has been closed since.
      return [];
    }
  });
}

const childrenOf = (pid: number): number =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((child) => child !== "").length;
