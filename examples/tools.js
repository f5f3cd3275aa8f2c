// Lets a model call functions of this program until it can answer.
// Needs zod 4: npm install zod
//
//   node examples/tools.js                        on Foundry Local, which the client finds and starts
//   node examples/tools.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { FoundryClient, FoundryError, typedTool } from "foundry-local-mcp";
import { z } from "zod";

/** @type {Record<string, number>} */
const STOCK = { notebook: 12, "fountain pen": 0 };

const stockOf = typedTool({
  name: "stock_of",
  description: "How many pieces of an article are in stock.",
  schema: z.object({ article: z.string() }),
  run: ({ article }) => {
    const count = STOCK[article.toLowerCase()];
    // The model is given the message, and can try again.
    if (count === undefined) throw new Error(`unknown; known are ${Object.keys(STOCK).join(", ")}`);
    console.error(`stock_of ${article}: ${count}`);
    return { count };
  },
});

const client = new FoundryClient({ endpoint: process.argv[2] });
try {
  const { text, rounds } = await client.run({
    prompt: "Can I order a fountain pen today?",
    tools: [stockOf],
    maxRounds: 5,
  });
  console.log(text);
  console.error(`${rounds} requests to the model`);
} catch (error) {
  if (!(error instanceof FoundryError)) throw error;
  console.error(`${error.code}: ${error.message} ${error.action}`);
  process.exitCode = 1;
} finally {
  await client.close();
}
