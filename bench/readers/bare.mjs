// Reads two streams with `fetch` and `eventsource-parser` alone, without a look at the JSON of an event, and
// prints the CPU milliseconds of the second one.
import { createParser } from "eventsource-parser";
import { printCpu } from "./print-cpu.mjs";

const [endpoint] = process.argv.slice(2);
const read = async (prompt) => {
  let characters = 0;
  const parser = createParser({
    onEvent: ({ data }) => {
      characters += data.length;
    },
  });
  const answer = await fetch(`${endpoint}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ stream: true, messages: [{ role: "user", content: prompt }] }),
  });
  const decoder = new TextDecoder();
  for await (const bytes of answer.body) parser.feed(decoder.decode(bytes, { stream: true }));
  return characters;
};
await printCpu(read);
// The connections of `fetch` would keep the process alive for a while.
process.exit();
