import { expect, it } from "vitest";
import { outdatedNode } from "../../src/commands/command-line.js";

it.each(["18.20.8", "16.0.0", "20.9.0", "20.18.0"])(
  "says what to install instead of Node %s",
  (version) => {
    expect(outdatedNode(version)).toMatch(
      `needs Node.js 20.18.1 or later, and this is ${version}. Install Node.js 22`,
    );
  },
);

it.each(["20.18.1", "22.0.0", "26.1.0"])("runs on Node %s", (version) => {
  expect(outdatedNode(version)).toBeNull();
});
