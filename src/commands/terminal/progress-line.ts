import { truncate } from "../../lib/index.js";
import type { Output, Screen } from "./screen.js";

/** What is shown of work that takes long. */
export interface News {
  /** A sentence without a full stop. */
  readonly message: string;
  /** As far as it is known. */
  readonly percent?: number | null;
}

const BAR = 20;
/** On anything but a terminal, a line is written at each multiple of this. */
const STEP_PERCENT = 10;
const DEFAULT_COLUMNS = 80;

/**
 * The progress of work as a line that is replaced, on a terminal, with a bar where a percentage is known.
 * Elsewhere it is a line for each message, and one for each ten percent.
 */
export class ProgressLine {
  readonly #screen: Screen;
  readonly #output: Output;
  #shown = "";

  constructor(screen: Screen, output: Output) {
    this.#screen = screen;
    this.#output = output;
  }

  show({ message, percent = null }: News): void {
    if (this.#output.isTTY === true) {
      const columns = this.#output.columns || DEFAULT_COLUMNS;
      this.#screen.status(statusLine(message, percent, columns));
      return;
    }
    const step = percent === null ? null : Math.floor(percent / STEP_PERCENT) * STEP_PERCENT;
    const line = step === null || step === 0 ? `${message} ...` : `${message}: ${step}%`;
    if (line === this.#shown) return;
    this.#shown = line;
    this.#screen.say(line);
  }

  clear(): void {
    this.#screen.clear();
  }
}

/** A message with its bar, in less than the width of the terminal, since a longer line is not replaced. */
export function statusLine(message: string, percent: number | null, columns: number): string {
  const indent = 2;
  // With room for the ^C that a terminal adds.
  const after = 4;
  const bar = percent === null ? "" : `${progressBar(percent)} `;
  const room = columns - indent - after - bar.length;
  const end = percent === null ? " ..." : "";
  const text =
    message.length + end.length <= room ? `${message}${end}` : `${truncate(message, room - 3)}...`;
  return `${bar}${room < 10 ? "" : text}`.trimEnd();
}

/** In ASCII, which every console shows. */
export function progressBar(percent: number): string {
  const whole = Math.max(0, Math.min(100, Math.floor(percent)));
  const full = Math.floor((whole * BAR) / 100);
  return `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${String(whole).padStart(3)}%`;
}
