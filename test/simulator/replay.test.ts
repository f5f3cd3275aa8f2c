import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.js";
import type { RawResponse } from "../real/raw_http.js";
import { normalAnswer, normalRecorded } from "./normal-form.js";
import { RECORDED_SERVICES } from "./recorded-services.js";
import { readRecording } from "./recording.js";
import { replay } from "./replay.js";

describe.each(RECORDED_SERVICES)("against $file, the simulator", (service) => {
  const exchanges = readRecording(service.file).filter(({ name }) => !(name in service.leftOut));
  let simulator: Simulator;
  let answers: Map<string, RawResponse>;

  beforeAll(async () => {
    simulator = await startSimulator(service.options);
    answers = await replay(exchanges, simulator);
  });
  afterAll(() => simulator.close());

  it.each(exchanges)("answers $name as the service did", (exchange) => {
    const closeness = exchange.name in service.onlyShape ? "shape" : "exact";
    const answer = answers.get(exchange.name);
    if (answer === undefined) throw new Error("was not replayed");
    expect(normalAnswer(answer, closeness)).toEqual(normalRecorded(exchange, closeness));
  });

  it("has every exchange that is excused", () => {
    const names = readRecording(service.file).map(({ name }) => name);
    const excused = [...Object.keys(service.onlyShape), ...Object.keys(service.leftOut)];
    expect(excused.filter((name) => !names.includes(name))).toEqual([]);
  });
});
