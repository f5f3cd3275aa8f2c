// Extracts typed values from a text: the answer fits a schema of zod, or the call fails.
// Needs zod 4: npm install zod
//
//   node examples/structured.js                        on Foundry Local, which the client finds and starts
//   node examples/structured.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { FoundryClient, FoundryError } from "foundry-local-mcp";
import { z } from "zod";

const Invoice = z.object({
  customer: z.string(),
  date: z.iso.date(),
  items: z.array(z.object({ name: z.string(), price: z.number() })).min(1),
});
const TEXT = `Invoice for Kari Nordmann, 3 March 2026.
2 notebooks at 4.50 each, 1 fountain pen at 32.00.`;

const client = new FoundryClient({ endpoint: process.argv[2] });
try {
  const { data, attempts } = await client.complete({
    system: "Extract the invoice. One item for each article, with the price of one piece.",
    prompt: TEXT,
    schema: Invoice,
    temperature: 0,
  });
  // data has the type of the schema.
  for (const { name, price } of data.items) console.log(`${name}: ${price.toFixed(2)}`);
  console.log(`${data.customer}, ${data.date}`);
  console.error(`${attempts} attempt(s)`);
} catch (error) {
  if (!(error instanceof FoundryError)) throw error;
  // SCHEMA_MISMATCH: the model did not manage it after two corrections. A larger model may.
  console.error(`${error.code}: ${error.message} ${error.action}`);
  process.exitCode = 1;
} finally {
  await client.close();
}
