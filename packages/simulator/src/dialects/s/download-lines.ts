import type { SimulatedModel } from "../../models/model.js";
import type { ServiceSwitches } from "./switches.js";

/** The progress of a download after a file, or a piece of the large file. */
export interface Step {
  /** Of the whole model. */
  readonly percent: number;
  readonly file: string;
}

const SMALL_FILES = [
  [0.006, "genai_config.json"],
  [0.874, "tokenizer.json"],
  [1.268, "model.onnx"],
] as const;
const PIECE_PERCENT = 5;

/** The progress steps of a whole download. */
export function stepsOf(model: SimulatedModel): readonly Step[] {
  const folder = `v${model.version}/`;
  const steps: Step[] = SMALL_FILES.map(([percent, file]) => ({ percent, file: folder + file }));
  const file = `${folder}model.onnx.data`;
  for (let percent = 6.268; percent < 100; percent += PIECE_PERCENT) steps.push({ percent, file });
  return [...steps, { percent: 100, file }];
}

/** A line of progress, in one of the two known forms. */
export function progressLine(step: Step, form: ServiceSwitches["downloadLines"]): string {
  if (form === "percent") return `Total ${step.percent.toFixed(3)}% Downloading ${step.file}\n\n`;
  const file = step.percent === 100 ? "" : step.file;
  return `("${file}", ${Number((step.percent / 100).toFixed(5))})\n`;
}

/** The last line. `error` is `null` for a success. */
export function lastLine(error: string | null, form: "success" | "Success"): string {
  const success = error === null;
  return JSON.stringify(
    form === "success" ? { success, error } : { Success: success, ErrorMessage: error },
  );
}
