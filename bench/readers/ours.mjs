// Reads two streams with the built library, and prints the CPU milliseconds of the second one.
import { FoundryClient } from "../../dist/index.js";

const [endpoint, warmUp, measured] = process.argv.slice(2);
const client = new FoundryClient({ endpoint, model: "instant" });
const read = async (prompt) => {
  let characters = 0;
  for await (const event of client.streamComplete({ prompt, maxTokens: 200_000 })) {
    if (event.type === "text") characters += event.text.length;
  }
  return characters;
};
await read(warmUp);
const before = process.cpuUsage();
const characters = await read(measured);
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, characters }));
await client.close();
