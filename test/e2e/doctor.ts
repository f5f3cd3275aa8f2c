import { expect } from "vitest";
import { type DoctorReport, doctorReportSchema } from "../../src/commands/doctor/report.js";
import { run, type Settings } from "./executable.js";
import type { FoundryMachine, MachineOptions } from "./foundry-machine.js";

/** Do not start an SDK that may be installed beside the package. */
export const ALONE: Settings = { FOUNDRY_EMBEDDED: "false" };

export const C1: MachineOptions = { dialect: "C1", generation: "server" };

export function doctorOn(machine: FoundryMachine, set: Settings = {}, flags: string[] = []) {
  return run(["doctor", ...flags], machine.settings({ ...ALONE, ...set }));
}

/** What `--json` printed: one document and nothing besides. */
export async function reportOn(machine: FoundryMachine, set: Settings = {}, flags: string[] = []) {
  const { code, stdout } = await doctorOn(machine, set, ["--json", ...flags]);
  const report: DoctorReport = doctorReportSchema.strict().parse(JSON.parse(stdout));
  expect(code).toBe(report.ok ? 0 : 1);
  return report;
}
