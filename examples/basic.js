// Asks one question, and shows a failure with what to do about it.
//
//   node examples/basic.js                        on Foundry Local, which the client finds and starts
//   node examples/basic.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { FoundryClient, FoundryError } from "foundry-local-mcp";

const client = new FoundryClient({ endpoint: process.argv[2] });
try {
  const { text, model, usage } = await client.complete(
    { prompt: "Why is the sky blue? Answer in one sentence.", maxTokens: 200 },
    // The first call may start Foundry Local and load the model.
    { onStatus: ({ message }) => console.error(message) },
  );
  console.log(text);
  console.error(`${model}, ${usage.outputTokens ?? "?"} tokens`);
} catch (error) {
  if (!(error instanceof FoundryError)) throw error;
  console.error(`${error.code}: ${error.message} ${error.action}`);
  process.exitCode = 1;
} finally {
  await client.close();
}
