import type { Simulator } from "foundry-local-simulator";
import { expect } from "vitest";
import { FoundryMachine, type MachineOptions } from "./foundry-machine.js";
import type { Answer, CallSettings, Host, ProgressNote } from "./host.js";
import { MODELS } from "./simulated.js";

export const BIG = "big-model-generic-cpu:3";
export const BIG_SAYS = "I am big, and I am here.";
export const OTHER = "other-model-generic-cpu:1";

/** Long enough for several progress notifications, also where a process is late by seconds. */
export const DOWNLOAD_MS = 4000;
/** A download during which a test does something. */
export const LONG_DOWNLOAD_MS = 12_000;

/** A machine on which two models of two gigabytes can be downloaded, the big one in `downloadMs`. */
export function machineToDownloadOn({
  simulator = {},
  switches = {},
  downloadMs = DOWNLOAD_MS,
  ...options
}: MachineOptions & { readonly downloadMs?: number }): Promise<FoundryMachine> {
  const missing = { sizeMb: 2048, downloaded: false, downloadMs: DOWNLOAD_MS };
  const models = [
    ...MODELS,
    { id: BIG, ...missing, downloadMs, script: { text: BIG_SAYS } },
    { id: OTHER, ...missing },
  ];
  return FoundryMachine.start({
    ...options,
    simulator: { models, ...simulator },
    switches: { downloadMs, ...switches },
  });
}

export const download = (
  host: Host,
  model: string = BIG,
  settings?: CallSettings,
): Promise<Answer> => host.call("load_model", { model, download: true }, settings);

/** A download, and its progress notifications. */
export async function toldDownload(
  host: Host,
  model: string = BIG,
  onNote: (note: ProgressNote) => void = () => {},
) {
  const notes: ProgressNote[] = [];
  const onProgress = (note: ProgressNote): void => {
    notes.push(note);
    onNote(note);
  };
  const answer = await download(host, model, { onProgress });
  return { answer, notes, percents: percentsOf(notes) };
}

/** The percentages in the messages. */
export const percentsOf = (notes: readonly ProgressNote[]): number[] =>
  notes.flatMap(({ message }) => {
    const [, percent] = /Downloading .*?, ([\d.]+) %/.exec(message) ?? [];
    return percent === undefined ? [] : [Number(percent)];
  });

/** A running download with some progress. */
export async function downloadUnderWay(host: Host, model: string = BIG, signal?: AbortSignal) {
  let begun = (): void => {};
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const notes: ProgressNote[] = [];
  const answer = download(host, model, {
    ...(signal && { signal }),
    onProgress: (note) => {
      notes.push(note);
      if ((percentsOf([note])[0] ?? 0) >= 5) begun();
    },
  });
  answer.catch(() => {});
  await Promise.race([hasBegun, answer]);
  return { answer, notes };
}

/** The model is listed as downloaded and loaded, and answers. */
export async function assertUsable(host: Host, simulator: Simulator): Promise<void> {
  const { result } = await host.call("list_models", { limit: 100 });
  expect(result["models"]).toContainEqual(
    expect.objectContaining({ id: BIG, downloaded: true, loaded: true }),
  );
  expect(simulator.loaded).toContain(BIG);
  expect((await host.complete({ prompt: "Are you there?", model: BIG })).text).toBe(BIG_SAYS);
}

/** Progress only increases, has a total, and reports the end only at the end. */
export function assertRises(notes: readonly ProgressNote[]): void {
  const told = notes.filter(({ message }) => /Downloading .* %/.test(message));
  expect(told.length).toBeGreaterThan(1);
  for (const { total, progress } of told) {
    expect(total).toBe(100);
    expect(progress).toBeLessThan(100);
  }
  const numbers = notes.map(({ progress }) => progress);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  const percents = percentsOf(notes);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
}
