// Reads two streams with the built library, and prints the CPU milliseconds of the second one.
import { FoundryClient } from "../../dist/index.js";
import { printCpu } from "./print-cpu.mjs";

const [endpoint] = process.argv.slice(2);
const client = new FoundryClient({ endpoint, model: "instant" });
const read = async (prompt) => {
  let characters = 0;
  for await (const event of client.streamComplete({ prompt, maxTokens: 200_000 })) {
    if (event.type === "text") characters += event.text.length;
  }
  return characters;
};
await printCpu(read);
await client.close();
