import { setTimeout as delay } from "node:timers/promises";
import type { DialectName } from "foundry-local-simulator";
import * as z from "zod";
import type { Settings } from "../../e2e/executable.js";
import { seeded } from "../chance.js";
import { Caller } from "./caller.js";
import { HttpLink, HttpServer } from "./http-link.js";
import { CallLedger, faultsOfTotals } from "./ledger.js";
import type { Link } from "./messages.js";
import type { Held, Sample, SoakedServer } from "./soaked-server.js";
import { StdioServer } from "./stdio-link.js";
import { Upstream } from "./upstream.js";

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Half of them over stdio, half over HTTP. */
  readonly callers: number;
  /** Called with the address of the server over HTTP and what it counted, before it ends. Default: nothing. */
  readonly look?: ((url: string, counted: Counted) => Promise<void>) | undefined;
}

/** The outcome of one server and its callers. */
export interface ServerSummary {
  readonly name: string;
  readonly dialect: DialectName;
  readonly ledger: CallLedger;
  readonly counted: Counted;
  readonly upstream: Upstream;
  readonly before: Held;
  readonly after: Held;
  readonly samples: readonly Sample[];
}

export interface SoakSummary {
  readonly servers: readonly ServerSummary[];
  /** All detected errors. */
  readonly faults: readonly string[];
}

/** Short limits: a fault that ends by one costs seconds of the soak. */
const SETTINGS: Settings = {
  FOUNDRY_TIMEOUT: "3",
  FOUNDRY_STALL_TIMEOUT: "4",
  FOUNDRY_LOAD_TIMEOUT: "8",
  FOUNDRY_RETRIES: "2",
  FOUNDRY_ON_CANCEL: "stop",
};
/** Idle connections are closed by then. */
const QUIET_MS = 60_000;
const SAMPLES = 60;
const SHORTEST_PAUSE_MS = 5000;

const healthSchema = z.looseObject({
  queue: z.looseObject({}).nullish(),
  totals: z
    .looseObject({
      completed: z.number().default(0),
      cancelled: z.number().default(0),
      failed: z.number().default(0),
      interrupted: z.number().default(0),
    })
    .nullish(),
});
/** The server's own counts; those that failed or were interrupted are one number. */
export interface Counted {
  readonly completed: number;
  readonly cancelled: number;
  readonly failed: number;
}

/** One server under test, and how its callers reach it. */
interface Subject {
  readonly dialect: DialectName;
  readonly server: SoakedServer;
  readonly upstream: Upstream;
  readonly open: () => Promise<Link>;
  readonly end: () => void;
}

async function subjects(): Promise<Subject[]> {
  const core = await Upstream.start("C2");
  const legacy = await Upstream.start("S");
  const stdio = await StdioServer.start({ ...SETTINGS, FOUNDRY_ENDPOINT: core.url });
  const http = await HttpServer.start({ ...SETTINGS, FOUNDRY_ENDPOINT: legacy.url });
  // The calls of all callers over stdio are in flight at once.
  const one: Link = {
    kind: "stdio",
    send: (tool, given) => stdio.send(tool, given),
    renew: async () => {},
    close: async () => {},
  };
  return [
    {
      dialect: "C2",
      server: stdio,
      upstream: core,
      open: async () => one,
      end: () => stdio.endInput(),
    },
    {
      dialect: "S",
      server: http,
      upstream: legacy,
      open: () => HttpLink.open(http),
      end: () => http.signal("SIGTERM"),
    },
  ];
}

/** Runs callers, faults and restarts for a time, and reports the outcome. */
export async function soak(options: SoakOptions): Promise<SoakSummary> {
  const all = await subjects();
  try {
    const servers = await Promise.all(
      all.map((subject, index) => soakOne(subject, index, options)),
    );
    for (const [index, { counted }] of servers.entries()) {
      const server = all[index]?.server;
      if (server instanceof HttpServer) await options.look?.(server.url, counted);
    }
    const faults = await Promise.all(
      servers.map((summary, index) => faultsOf(summary, all[index])),
    );
    return { servers, faults: faults.flat() };
  } finally {
    for (const { server, upstream } of all) {
      await server.destroy();
      await upstream.close();
    }
  }
}

async function soakOne(
  { dialect, server, upstream, open }: Subject,
  index: number,
  { seconds, seed, callers }: SoakOptions,
): Promise<ServerSummary> {
  const ledger = new CallLedger();
  const chanceOf = (number: number) => seeded(seed * 1000 + index * 100 + number);
  const count = Math.ceil(callers / 2);
  // The permanent memory of a process is allocated after one call of each kind.
  await withLinks(1, open, async ([link]) => {
    if (link !== undefined) await new Caller("warm-up", link, ledger, chanceOf(99)).all();
  });
  const before = await quiet(server, null);
  const startedAt = performance.now();
  const over = AbortSignal.timeout(seconds * 1000);
  const links = await Promise.all(Array.from({ length: count }, open));
  await Promise.all([
    upstream.disturb(chanceOf(98), over),
    sampled(server, startedAt, seconds, over),
    ...links.map((link, number) =>
      new Caller(`${server.name} ${number}`, link, ledger, chanceOf(number)).run(over),
    ),
  ]);
  const [link] = links;
  if (link === undefined) throw new Error("a soak needs callers");
  const counted = await countedBy(link);
  await Promise.all(links.map((each) => each.close()));
  const after = await quiet(server, before);
  await server.sample((performance.now() - startedAt) / 60_000);
  return {
    name: server.name,
    dialect,
    ledger,
    counted,
    upstream,
    before,
    after,
    samples: server.samples,
  };
}

async function withLinks(
  count: number,
  open: () => Promise<Link>,
  use: (links: readonly Link[]) => Promise<void>,
): Promise<void> {
  const links = await Promise.all(Array.from({ length: count }, open));
  await use(links);
  await Promise.all(links.map((link) => link.close()));
}

async function sampled(
  server: SoakedServer,
  startedAt: number,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const pauseMs = Math.max(SHORTEST_PAUSE_MS, (seconds * 1000) / SAMPLES);
  while (!signal.aborted) {
    await server.sample((performance.now() - startedAt) / 60_000);
    await delay(pauseMs, null, { signal }).catch(() => {});
  }
}

/** The counts of the server, once nothing runs any more. */
async function countedBy(link: Link): Promise<Counted> {
  const until = performance.now() + QUIET_MS;
  for (;;) {
    const reply = await link.send("health_check", {}).reply;
    const { queue, totals } = healthSchema.parse(reply?.structured);
    if (queue == null || performance.now() > until) {
      const { completed = 0, cancelled = 0, failed = 0, interrupted = 0 } = totals ?? {};
      return { completed, cancelled, failed: failed + interrupted };
    }
    await delay(200);
  }
}

/** The resources of the idle server: no more than `before`, or those after a while. */
async function quiet(server: SoakedServer, before: Held | null): Promise<Held> {
  const until = performance.now() + QUIET_MS;
  let last = await server.held();
  for (;;) {
    await delay(before === null ? SHORTEST_PAUSE_MS : 500);
    const held = await server.held();
    const isStill = before === null && JSON.stringify(held) === JSON.stringify(last);
    const isBack = before !== null && more(before, held).length === 0;
    if (isStill || isBack || performance.now() > until) return held;
    last = held;
  }
}

const KINDS = ["sockets", "pipes", "files", "children", "timers"] as const;
const more = (before: Held, after: Held): string[] =>
  KINDS.filter((kind) => after[kind] > before[kind]).map(
    (kind) => `${kind}: ${before[kind]} before, ${after[kind]} after`,
  );

async function faultsOf(summary: ServerSummary, subject: Subject | undefined): Promise<string[]> {
  if (subject === undefined) return [];
  const { name, ledger, counted, before, after } = summary;
  const { server } = subject;
  const unanswered = server instanceof StdioServer ? server.unanswered : 0;
  return [
    ...ledger.faults.map((fault) => `${name}: ${fault}`),
    ...(unanswered > 0 ? [`${name}: ${unanswered} calls have no answer`] : []),
    ...faultsOfTotals(name, ledger.completions, counted),
    ...more(before, after).map((left) => `${name} holds more than before: ${left}`),
    ...(await faultsOfEnd(server, subject.end)),
    ...server.faults,
  ];
}

async function faultsOfEnd(server: SoakedServer, end: () => void): Promise<string[]> {
  const { pid } = server;
  end();
  const { code, signal } = await server.ended;
  const isLeft = (): boolean => {
    try {
      // The process group, in which its children are.
      return process.kill(-pid, 0);
    } catch {
      return false;
    }
  };
  return [
    ...(code === 0 ? [] : [`${server.name} ended with ${code ?? signal}`]),
    ...(isLeft() ? [`${server.name} left a child`] : []),
  ];
}
