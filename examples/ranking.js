// Finds the text that answers a question, with an embedding model; then a chat model answers from it.
//
//   node examples/ranking.js                        on Foundry Local, which the client finds and starts
//   node examples/ranking.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
//
// Foundry Local needs an embedding model: node dist/main.js download qwen3-embedding-0.6b
import { FoundryClient, FoundryError } from "foundry-local-mcp";

const PAGES = [
  "To reset the alarm, hold the red button for five seconds.",
  "The warranty covers two years, batteries excluded.",
  "The alarm takes two batteries of type AA.",
];
const QUESTION = "How do I reset the alarm?";

const client = new FoundryClient({ endpoint: process.argv[2] });
try {
  const { ranking } = await client.rank(QUESTION, PAGES, { limit: 2 });
  for (const { score, text } of ranking) console.error(`${score.toFixed(2)} ${text}`);
  const { text } = await client.complete({
    system: `Answer from these texts alone:\n${ranking.map((ranked) => ranked.text).join("\n")}`,
    prompt: QUESTION,
  });
  console.log(text);
} catch (error) {
  if (!(error instanceof FoundryError)) throw error;
  console.error(`${error.code}: ${error.message} ${error.action}`);
  process.exitCode = 1;
} finally {
  await client.close();
}
