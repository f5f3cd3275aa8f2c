// A chat in the terminal: streams each answer, remembers the conversation, and Ctrl-C stops an answer.
//
//   node examples/chat.js                        on Foundry Local, which the client finds and starts
//   node examples/chat.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { createInterface } from "node:readline";
import { FoundryClient, FoundryError } from "foundry-local-mcp";

const client = new FoundryClient({ endpoint: process.argv[2] });
const system = "Answer briefly.";
/** @type {import("foundry-local-mcp").CompletionMessage[]} */
const history = [];

/** @param {string} content @param {AbortSignal} signal */
async function answer(content, signal) {
  history.push({ role: "user", content });
  const stream = client.streamComplete({ system, messages: history }, { signal });
  try {
    for await (const event of stream) {
      if (event.type === "text") process.stdout.write(event.text);
    }
  } catch (error) {
    if (!(error instanceof FoundryError)) throw error;
    // A long conversation does not fit into the model: forget its oldest question and answer.
    if (error.code === "CONTEXT_LENGTH_EXCEEDED" && history.length > 2) {
      history.splice(0, 2);
      history.pop();
      return answer(content, signal);
    }
    if (error.code !== "CANCELLED") console.error(`${error.message} ${error.action}`);
  }
  const { text } = stream.snapshot();
  if (text === "") history.pop();
  else history.push({ role: "assistant", content: text });
}

const terminal = createInterface({ input: process.stdin, output: process.stdout });
/** @type {AbortController | null} */
let running = null;
terminal.on("SIGINT", () => (running === null ? terminal.close() : running.abort()));
let isOpen = true;
terminal.on("close", () => {
  isOpen = false;
});
terminal.prompt();
for await (const line of terminal) {
  if (line.trim() !== "") {
    running = new AbortController();
    await answer(line, running.signal);
    running = null;
    console.log();
  }
  if (isOpen) terminal.prompt();
}
await client.close();
