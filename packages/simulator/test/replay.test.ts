import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RawResponse } from "../../../test/real/raw_http.js";
import { type Simulator, startSimulator } from "../src/index.js";
import { RULES_TO_LEAVE_OUT, reasonToLeaveOut } from "./left-out.js";
import { type Closeness, normalAnswer, normalRecorded } from "./normal-form.js";
import { RECORDED_SERVICES } from "./recorded-services.js";
import { type RecordedService, readRecording } from "./recording.js";
import { replay } from "./replay.js";

describe.concurrent.each(RECORDED_SERVICES)("against $file, the simulator", (service) => {
  const exchanges = readRecording(service.file)
    .filter(({ name }) => service.only?.includes(name) ?? true)
    .filter((exchange) => reasonToLeaveOut(exchange) === null);
  let simulator: Simulator;
  let answers: Map<string, RawResponse>;

  beforeAll(async () => {
    simulator = await startSimulator(service.options);
    answers = await replay(exchanges, simulator);
  });
  afterAll(() => simulator.close());

  it.each(exchanges)("answers $name as the service did", (exchange) => {
    const closeness = closenessOf(service, exchange.name);
    const answer = answers.get(exchange.name);
    if (answer === undefined) throw new Error("was not replayed");
    expect(normalAnswer(answer, closeness)).toEqual(normalRecorded(exchange, closeness));
  });

  it("has every exchange in the list of exceptions", () => {
    const names = readRecording(service.file).map(({ name }) => name);
    const excused = [service.onlyShape, service.anyOrder ?? {}].flatMap(Object.keys);
    expect(excused.filter((name) => !names.includes(name))).toEqual([]);
  });
});

function closenessOf(service: RecordedService, name: string): Closeness {
  if (name in service.onlyShape) return "shape";
  return name in (service.anyOrder ?? {}) ? "any order" : "exact";
}

it("the list of exceptions names only recorded exchanges", () => {
  const recorded = RECORDED_SERVICES.flatMap(({ file }) => readRecording(file));
  const unused = RULES_TO_LEAVE_OUT.filter(
    (rule) => !recorded.some(({ name, request }) => rule.test(name) || rule.test(request.path)),
  );
  expect(unused).toEqual([]);
});
