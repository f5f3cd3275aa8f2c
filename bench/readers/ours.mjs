// Reads a stream with the built library, and prints the CPU milliseconds of the second time.
import { FoundryClient } from "../../dist/index.js";

const [endpoint, prompt] = process.argv.slice(2);
const client = new FoundryClient({ endpoint, model: "instant" });
const read = async () => {
  let characters = 0;
  for await (const event of client.streamComplete({ prompt, maxTokens: 200_000 })) {
    if (event.type === "text") characters += event.text.length;
  }
  return characters;
};
await read();
const before = process.cpuUsage();
const characters = await read();
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, characters }));
await client.close();
