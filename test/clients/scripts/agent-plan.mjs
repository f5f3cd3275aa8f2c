/** How a client starts the server. */
export const server = { ...JSON.parse(process.env.SERVER), env: process.env };
/** The limit of a call in milliseconds; undefined for the client's own. */
export const limitMs = process.env.LIMIT_SECONDS && Number(process.env.LIMIT_SECONDS) * 1000;
export const mode = process.env.MODE;

/** Calls as `[name, arguments]`. The answer to the last one is long, and ends with END. */
const CALLS = JSON.parse(process.env.CALLS ?? "[]");
const { END } = process.env;
const MOST_CALLS = 30;

/** An agent whose model makes the calls of the plan, and then does what it is shown. */
export class Plan {
  shown = [];

  /** The next call after the model was shown this of the latest one; undefined when all is done. */
  next(shown) {
    if (shown !== undefined) this.shown.push(shown);
    const count = this.shown.length;
    if (count < CALLS.length) return CALLS[count];
    const latest = this.shown.at(-1);
    if (latest.includes(END) || count > MOST_CALLS) return undefined;
    const id = /\bc-[0-9a-z]+-\d+\b/.exec(latest)?.[0];
    if (id === undefined || !latest.includes("get_completion")) return CALLS.at(-1);
    const from = /\bfrom (\d+)/.exec(latest)?.[1];
    return ["get_completion", { completion_ids: [id], ...(from && { from: Number(from) }) }];
  }
}

/** For a client without an agent: `call` resolves with what a model would be shown. */
export async function runPlan(call) {
  const plan = new Plan();
  let next = plan.next();
  while (next !== undefined) {
    const shown = await call(...next).catch((error) => `${error.name}: ${error.message}`);
    next = plan.next(asText(shown));
  }
  return plan.shown;
}

export const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export function report(tools, shown) {
  process.stdout.write(`\n${JSON.stringify({ tools, shown })}\n`);
}
