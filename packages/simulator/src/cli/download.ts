import { setTimeout as delay } from "node:timers/promises";
import type { SimulatedModel } from "../models/model.js";
import type { Simulator } from "../simulator.js";
import type { Call } from "./call.js";
import type { Installation } from "./installation.js";
import type { FoundryCliSwitches } from "./switches.js";

const STEP_PERCENT = 4;
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
/** The interval at which a stalled download with `spins` redraws. */
const SPIN_MS = 50;

type Style = NonNullable<FoundryCliSwitches["downloadStyle"]>;

/** The end of a download; a failure has a message. */
export type DownloadEnd =
  | { readonly kind: "downloaded" }
  | { readonly kind: "failed"; readonly text: string };

/** Downloads a model, or the rest of it, and draws the progress. Rejects when the command is killed. */
export async function download(
  call: Call,
  installation: Installation,
  simulator: Simulator,
  model: SimulatedModel,
  usualStyle: Style,
): Promise<DownloadEnd> {
  const style = installation.switches.downloadStyle ?? usualStyle;
  const progress = new DownloadProgress(call, style, model);
  const signal = installation.switches.downloadOutlivesCommand ? undefined : call.gone;
  progress.begin();
  for (
    let percent = installation.partial.get(model.id) ?? 0;
    percent < 100;
    percent = Math.min(100, percent + STEP_PERCENT)
  ) {
    installation.partial.set(model.id, percent);
    progress.draw(percent);
    const { downloadStall, downloadFailure, downloadMs } = installation.switches;
    if (downloadStall !== null && percent >= downloadStall.at) {
      await stalled(call, progress, percent, downloadStall.spins === true);
    }
    if (downloadFailure !== null && percent >= downloadFailure.at) {
      progress.end();
      const text = downloadFailure.text ?? "The operation was canceled due to a network error.";
      return { kind: "failed", text };
    }
    // The command's end is noticed between two steps at the latest, even if they take no time.
    await delay((downloadMs * STEP_PERCENT) / 100, undefined, signal && { signal });
  }
  installation.partial.delete(model.id);
  simulator.setDownloaded(model.id, true);
  progress.draw(100);
  progress.end();
  if (installation.switches.downloadHangsAfter) await call.forever();
  return { kind: "downloaded" };
}

async function stalled(
  call: Call,
  progress: DownloadProgress,
  percent: number,
  spins: boolean,
): Promise<never> {
  if (!spins) return call.forever();
  for (;;) {
    await call.sleep(SPIN_MS);
    progress.draw(percent);
  }
}

class DownloadProgress {
  readonly #call: Call;
  readonly #style: Style;
  readonly #model: SimulatedModel;
  #frame = 0;

  constructor(call: Call, style: Style, model: SimulatedModel) {
    this.#call = call;
    this.#style = style;
    this.#model = model;
  }

  begin(): void {
    if (this.#style === "bar") this.#call.print(`Downloading ${this.#model.id}...`);
    if (this.#style === "spinner") this.#call.write("\u001b[?25l");
  }

  draw(percent: number): void {
    const minutes = Math.ceil((100 - percent) / 10);
    switch (this.#style) {
      case "bar": {
        // As in #752 and #706.
        const done = "#".repeat(Math.floor((percent * 36) / 100)).padEnd(36);
        const figure = percent.toFixed(2).padStart(6);
        this.#call.write(
          `\r[${done}] ${figure} % [Time remaining: about ${minutes === 0 ? "0s" : `${minutes}m`}]        15.5 MB/s`,
        );
        break;
      }
      case "spinner": {
        const frame = SPINNER[this.#frame % SPINNER.length] ?? "";
        const bar = "━".repeat(Math.floor((percent * 40) / 100)).padEnd(40);
        this.#call.write(
          `\r\u001b[2K\u001b[32m${frame}\u001b[0m ${this.#model.id} ${bar} ${percent}% 15.5 MB/s 00:${String(minutes).padStart(2, "0")}:00`,
        );
        break;
      }
      case "lines":
        this.#call.print(`${this.#model.id}: ${percent}%`);
        break;
      case "silent":
        break;
    }
    this.#frame += 1;
  }

  end(): void {
    if (this.#style === "bar") this.#call.write("\n");
    if (this.#style === "spinner") this.#call.write("\n\u001b[?25h");
  }
}
