import type { CaseReport, ConcurrencyChoice } from "./report.js";

/** What is known of one kind of prompt, so many at once. */
type Throughput = Pick<
  CaseReport,
  "prompt" | "at_once" | "total_tokens_per_second" | "answers" | "failed"
>;

/** More at once have to give so much of the best throughput; a smaller number answers each sooner. */
const NEAR_BEST = 0.9;

/**
 * The smallest number of answers at once that comes near the best throughput. A number with which an
 * answer failed is never chosen.
 */
export function chooseConcurrency(measured: readonly Throughput[]): ConcurrencyChoice {
  const gains = gainsOf(measured);
  const best = Math.max(...gains.map(({ gain }) => gain));
  const chosen = gains.find(({ gain }) => gain >= best * NEAR_BEST);
  if (chosen === undefined) {
    return { value: null, reason: "No answers one at a time were measured without a failure." };
  }
  const others = gains.filter(({ atOnce }) => atOnce > 1);
  const compared = others.map(({ atOnce, gain }) => `${atOnce} at once ${factor(gain)}`);
  const reason =
    others.length === 0
      ? "Only answers one at a time were measured without a failure."
      : `Compared with one at a time, the tokens per second together are: ${compared.join(", ")}. ${
          chosen.atOnce === 1
            ? "More at once would only wait for each other."
            : best > chosen.gain
              ? "More at once hardly add to it, and each answer takes longer."
              : "No smaller number comes near it."
        }`;
  return { value: chosen.atOnce, reason: [reason, ...failuresOf(measured)].join(" ") };
}

/** One setting holds for all models, so the most careful of their values is taken. */
export function chooseForAll(
  choices: readonly { readonly name: string; readonly choice: ConcurrencyChoice }[],
): ConcurrencyChoice {
  const known = choices.flatMap(({ name, choice }) =>
    choice.value === null ? [] : [{ name, value: choice.value }],
  );
  const [only, ...more] = choices;
  if (only !== undefined && more.length === 0) return only.choice;
  if (known.length === 0) {
    return { value: null, reason: "Of no model was enough measured." };
  }
  const list = known.map(({ name, value }) => `${name} ${value}`).join(", ");
  return {
    value: Math.min(...known.map(({ value }) => value)),
    reason: `The setting holds for each model, so it is the smallest of: ${list}.`,
  };
}

/**
 * The throughput of each number at once in relation to that of one at a time: the geometric mean of the kinds of
 * prompts. In ascending order; empty where one at a time was not measured.
 */
function gainsOf(measured: readonly Throughput[]) {
  const bases = measured.filter((each) => each.at_once === 1 && usable(each) !== null);
  const numbers = [...new Set(measured.map((each) => each.at_once))].sort((a, b) => a - b);
  return numbers.flatMap((atOnce) => {
    const ratios = bases.map((base) => {
      const same = measured.find((each) => each.prompt === base.prompt && each.at_once === atOnce);
      const value = same === undefined ? null : usable(same);
      const one = usable(base);
      return value === null || one === null ? null : value / one;
    });
    const known = ratios.filter((ratio) => ratio !== null);
    if (known.length === 0 || known.length < ratios.length) return [];
    const product = known.reduce((all, ratio) => all * ratio, 1);
    return [{ atOnce, gain: product ** (1 / known.length) }];
  });
}

function usable({ total_tokens_per_second: speed, failed }: Throughput): number | null {
  return failed > 0 || speed === null || speed.median <= 0 ? null : speed.median;
}

function failuresOf(measured: readonly Throughput[]): string[] {
  return measured
    .filter(({ failed }) => failed > 0)
    .map(
      ({ prompt, at_once: atOnce, failed, answers }) =>
        `With ${prompt} prompts, ${atOnce} at once, ${failed} of ${answers} answers failed.`,
    );
}

const factor = (gain: number): string => `${gain.toFixed(gain < 10 ? 2 : 0)} times`;
