import { describe, expect, it } from "vitest";
import { callParameters } from "../../../src/foundry/dialects/json-schema.js";

const WORD = { type: "string" };
const of = (properties: object, definitions: object = {}) => ({
  type: "object",
  properties,
  ...definitions,
});

describe("a schema as the parameters of a forced tool", () => {
  it.each([
    ["none", of({ a: WORD }), of({ a: WORD })],
    ["of $defs", of({ a: { $ref: "#/$defs/w" } }, { $defs: { w: WORD } }), of({ a: WORD })],
    [
      "of definitions",
      of({ a: { $ref: "#/definitions/w" } }, { definitions: { w: WORD } }),
      of({ a: WORD }),
    ],
    [
      "in a list",
      of({ a: { type: "array", items: { $ref: "#/$defs/w" } } }, { $defs: { w: WORD } }),
      of({ a: { type: "array", items: WORD } }),
    ],
    [
      "in alternatives",
      of({ a: { anyOf: [{ $ref: "#/$defs/w" }, { type: "null" }] } }, { $defs: { w: WORD } }),
      of({ a: { anyOf: [WORD, { type: "null" }] } }),
    ],
    [
      "of a definition with a reference",
      of({ a: { $ref: "#/$defs/p" } }, { $defs: { p: of({ b: { $ref: "#/$defs/w" } }), w: WORD } }),
      of({ a: of({ b: WORD }) }),
    ],
    [
      "with a description beside it",
      of({ a: { $ref: "#/$defs/w", description: "A word" } }, { $defs: { w: WORD } }),
      of({ a: { ...WORD, description: "A word" } }),
    ],
    [
      "with a rule beside it",
      of({ a: { $ref: "#/$defs/w", maxLength: 3 } }, { $defs: { w: WORD } }),
      of({ a: { allOf: [WORD, { maxLength: 3 }] } }),
    ],
    [
      "with odd characters",
      of({ a: { $ref: "#/$defs/a~1b~0c" } }, { $defs: { "a/b~c": WORD } }),
      of({ a: WORD }),
    ],
    [
      "with encoded characters",
      of(
        {
          a: { $ref: "#/$defs/My%20Type" },
          b: { $ref: "#/$defs/50%" },
          c: { $ref: "#/$defs/a%20b" },
        },
        { $defs: { "My Type": WORD, "50%": WORD, "a%20b": WORD } },
      ),
      of({ a: WORD, b: WORD, c: WORD }),
    ],
    [
      "below what depends on a member, and in the content of a text",
      of(
        { a: { contentSchema: { $ref: "#/$defs/w" } } },
        { dependencies: { a: { $ref: "#/$defs/w" }, b: ["a"] }, $defs: { w: WORD } },
      ),
      of({ a: { contentSchema: WORD } }, { dependencies: { a: WORD, b: ["a"] } }),
    ],
    [
      "that is a name or a value",
      of({ $ref: WORD, a: { const: { $ref: "#/$defs/w" } } }),
      of({ $ref: WORD, a: { const: { $ref: "#/$defs/w" } } }),
    ],
  ])("has definitions inserted for references: %s", (_name, schema, parameters) => {
    expect(callParameters(schema)).toEqual(parameters);
  });

  it.each([
    ["a list", { type: "array" }],
    ["no type", { properties: {} }],
    ["a reference to itself", of({ a: { $ref: "#" } })],
    [
      "a circle",
      of({ a: { $ref: "#/$defs/a" } }, { $defs: { a: of({ a: { $ref: "#/$defs/a" } }) } }),
    ],
    ["a reference to nothing", of({ a: { $ref: "#/$defs/b" } })],
    ["a reference to another document", of({ a: { $ref: "https://example.org/a.json" } })],
    ["an inherited name", of({ a: { $ref: "#/$defs/constructor" } }, { $defs: {} })],
  ])("is not used for %s", (_name, schema) => {
    expect(callParameters(schema)).toBeNull();
  });

  it("is not used where nested references grow beyond a bound", () => {
    const twice = (name: string) => of({ a: { $ref: name }, b: { $ref: name } });
    const names = Array.from({ length: 40 }, (_, at) => `d${at}`);
    const $defs = Object.fromEntries(
      names.map((name, at) => [name, at === 39 ? WORD : twice(`#/$defs/d${at + 1}`)]),
    );
    expect(callParameters({ ...twice("#/$defs/d0"), $defs })).toBeNull();
  });

  it("is none where many references to a long definition would make it far longer", () => {
    const $defs = { long: { ...WORD, enum: ["x".repeat(20_000)] } };
    const times = (count: number) =>
      of(
        Object.fromEntries(
          Array.from({ length: count }, (_, at) => [`m${at}`, { $ref: "#/$defs/long" }]),
        ),
        { $defs },
      );
    expect(callParameters(times(5))).not.toBeNull();
    expect(callParameters(times(200))).toBeNull();
  });

  it("allows no fewer values without the keywords that the services do not know", () => {
    const schema = of({
      a: { oneOf: [{ uniqueItems: true }, { not: WORD }] },
      b: { if: WORD, else: { properties: { c: WORD } }, unevaluatedProperties: false },
    });
    expect(callParameters(schema)).toEqual(of({ a: { anyOf: [{}, {}] }, b: {} }));
    const closed = of({ a: { unevaluatedProperties: false } });
    expect(callParameters(closed)).toEqual(closed);
  });

  it("loses keywords unknown to the services, but keeps properties with these names", () => {
    const schema = of({
      not: { type: "array", uniqueItems: true, items: { not: WORD } },
      a: { if: {}, else: {}, minLength: 1 },
    });
    expect(callParameters(schema)).toEqual(
      of({ not: { type: "array", items: {} }, a: { minLength: 1 } }),
    );
  });
});
