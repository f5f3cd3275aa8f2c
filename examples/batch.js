// Gives a model many texts at once, and handles each result as it comes.
//
//   node examples/batch.js                        on Foundry Local, which the client finds and starts
//   node examples/batch.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { FoundryClient } from "foundry-local-mcp";

const REVIEWS = [
  "Great battery, I charge it once a week.",
  "The screen broke on the first day.",
  "It arrived on Tuesday.",
];

const client = new FoundryClient({ endpoint: process.argv[2] });
const requests = REVIEWS.map((review) => ({
  system: "Is this review positive, negative or neutral? Answer with this one word.",
  prompt: review,
  temperature: 0,
  maxTokens: 10,
}));

let failed = 0;
// One request that fails does not stop the others. Leaving the loop stops them.
for await (const { index, state } of client.completeBatch(requests)) {
  if (state.error === null) {
    console.log(`${state.text.trim()}: ${REVIEWS[index]}`);
  } else {
    failed += 1;
    console.error(`Review ${index + 1} failed: ${state.error.message} ${state.error.action}`);
  }
}
await client.close();
process.exitCode = failed === 0 ? 0 : 1;
