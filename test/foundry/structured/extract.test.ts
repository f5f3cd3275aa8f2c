import { expect, it } from "vitest";
import { extracted } from "../../../src/foundry/structured/extract.js";

const isNumber = (value: unknown): string[] => (typeof value === "number" ? [] : ["no number"]);
const isList = (value: unknown): string[] => (Array.isArray(value) ? [] : ["no list"]);
const isObject = (value: unknown): string[] =>
  typeof value === "object" && !Array.isArray(value) ? [] : ["no object"];

it.each([
  ["digits that may go on", "3.1", isNumber],
  ["digits in a block that may go on", "```json\n3.1", isNumber],
  ["an object in a list", '[{"id":1},{"id":2', isObject],
  ["a list in an object", '{"items":[1,2],"more":', isList],
])("a part of a cut answer is not extracted as its value: %s", (_what, text, check) => {
  expect(extracted(text, check, false)).toMatchObject({ fits: false });
});

it.each([
  ["a number", "3.1", isNumber, 3.1],
  ["a number in a code block with its language", "```json\n3.1\n```", isNumber, 3.1],
  ["an object in words", 'So: {"id":1} it is', isObject, { id: 1 }],
  ["a list in words", "So: [1] it is", isList, [1]],
])("a complete answer may contain the value anywhere: %s", (_what, text, check, data) => {
  expect(extracted(text, check, true)).toEqual({ fits: true, data });
});

// Some engines say that an answer is whole where its tokens were used up.
it.each([
  ["a text", '{"city":"Os'],
  ["a text with what looks like an end", '{"city":"Oslo, 59", "note":"at 12'],
  ["a member without its value", '{"city":"Oslo","inhabitants":'],
  ["a name without its value", '{"city":"Oslo","inhabitants"'],
  ["a list that goes on", '{"cities":["Oslo",'],
])("an answer that ends in the middle of %s gets no invented end", (_what, text) => {
  expect(extracted(text, isObject, true)).toMatchObject({ fits: false });
});

it.each([
  ["brackets", '{"cities":["Oslo","Rome"', { cities: ["Oslo", "Rome"] }],
  ["a quote", '{"city":"Oslo}', { city: "Oslo" }],
  ["JSON for a value of Python", "{'city': None}", { city: null }],
])("an answer that only lacks %s is repaired", (_what, text, data) => {
  expect(extracted(text, isObject, true)).toEqual({ fits: true, data });
});

it("a value that was complete before the cut is extracted", () => {
  expect(extracted('{"id":1} and so', isObject, false)).toEqual({ fits: true, data: { id: 1 } });
});
