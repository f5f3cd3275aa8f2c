import { describe, expect, it } from "vitest";
import { SingleFlight } from "../../src/lib/single-flight.js";

describe("SingleFlight", () => {
  it("asks once for all who ask at the same time, and again afterwards", async () => {
    const flight = new SingleFlight<number>();
    let asked = 0;
    const question = async () => {
      asked += 1;
      return asked;
    };
    const all = Array.from({ length: 10_000 }, () => flight.ask(question, undefined));
    expect(new Set(await Promise.all(all))).toEqual(new Set([1]));
    expect(await flight.ask(question, undefined)).toBe(2);
  });

  it("goes on for the others when one of them is aborted, the first included", async () => {
    const flight = new SingleFlight<string>();
    let answer: (text: string) => void = () => {};
    const question = () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      });
    const aborting = new AbortController();
    const first = flight.ask(question, aborting.signal);
    const second = flight.ask(question, undefined);
    aborting.abort();
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
    answer("there");
    expect(await second).toBe("there");
  });

  it("asks again at once when the answer under way was forgotten", async () => {
    const flight = new SingleFlight<string>();
    const old = flight.ask(async () => "old", undefined);
    flight.forget();
    expect(await flight.ask(async () => "new", undefined)).toBe("new");
    expect(await old).toBe("old");
  });
});
