import * as z from "zod";
import {
  type CompletionState,
  type Completions,
  type FoundryClient,
  hasEnded,
} from "../../jobs/index.js";
import { type Kept, NOTHING_KEPT } from "../../keeper/index.js";
import { FoundryError, parseArguments, SecretMask, truncate } from "../../lib/index.js";
import { serverWords } from "../../server-words.js";
import { assertFirstPage, type Handlers, RequestError } from "../requests.js";
import { type Clock, systemClock } from "../progress-reporter.js";
import { skillContents } from "../skills.js";
import {
  completionUri,
  contentsOf,
  partOf,
  resourceOf,
  STATE_TEMPLATE,
  stateUri,
  TEXT_TEMPLATE,
} from "./completion-resource.js";
import { METRICS_RESOURCE, METRICS_URI, metricsContents } from "./metrics-resource.js";
import { MOST_SUBSCRIPTIONS, ResourceUpdates } from "./resource-updates.js";

const PAGE = 50;
/** Ours are 50 characters. */
const LONGEST_URI = 200;

const EXAMPLE = "foundry://completions/c-k3f9x2q7mad4-17";
const uriParams = z.looseObject({
  uri: z.string({ error: `the URI of a completion, such as ${EXAMPLE}` }),
});
const listParams = z.looseObject({
  cursor: z.string({ error: "the nextCursor of the page before" }).optional(),
});

export interface ResourceOptions {
  /**
   * Of which completions the host is notified: of those that it subscribed to, of all, where something
   * else keeps its subscriptions, or of none.
   */
  readonly notifies: "subscribed" | "all" | "none";
  /** Notifies the host that a resource has changed. */
  readonly updated: (uri: string) => Promise<void>;
  /** Hidden in what is not the text of a model. Default: nothing is. */
  readonly secrets?: SecretMask | undefined;
  /** What other processes left. Default: nothing. */
  readonly kept?: Kept | undefined;
  readonly clock?: Clock;
}

/**
 * Makes the completions that are kept, and the metrics, readable as resources, and notifies subscribers of
 * changes of completions.
 */
export function resourceHandlers(
  client: Pick<FoundryClient, "completions" | "metrics">,
  {
    notifies,
    updated,
    secrets = new SecretMask([]),
    kept = NOTHING_KEPT,
    clock = systemClock,
  }: ResourceOptions,
) {
  const { completions } = client;
  const updates = new ResourceUpdates(updated, clock);
  const unfollow = follow(completions, updates, notifies);
  return {
    methods: {
      "resources/list": (params) => {
        const { cursor } = checked(listParams, params);
        return pageOf(completions.list(), cursor, secrets);
      },
      "resources/templates/list": (params) => {
        assertFirstPage(params);
        return { resourceTemplates: TEMPLATES };
      },
      "resources/read": async (params) => {
        const { uri } = checked(uriParams, params);
        const skill = skillContents(uri);
        if (skill !== null) return { contents: skill };
        if (uri === METRICS_URI) return { contents: metricsContents(client, secrets) };
        await kept.find(idsIn(uri));
        const { state, part } = meant(completions, uri);
        if (part === "text" && hasEnded(state)) {
          await kept.answered({ promised: [], delivered: [state.id] });
        }
        return { contents: contentsOf(state, part, secrets) };
      },
      "resources/subscribe": async (params) => {
        const given = checked(uriParams, params).uri;
        // They are listed, and have no updates.
        if (given === METRICS_URI || skillContents(given) !== null) return {};
        await kept.find(idsIn(given));
        const { state, uri } = meant(completions, given);
        if (hasEnded(state)) {
          updates.notifyOnce(uri);
        } else if (!updates.subscribe(state.id, uri)) {
          throw new RequestError(
            "invalid request",
            `The limit of ${MOST_SUBSCRIPTIONS} subscriptions is reached. Unsubscribe from some.`,
          );
        }
        return {};
      },
      "resources/unsubscribe": (params) => {
        const { uri } = checked(uriParams, params);
        const part = partOf(uri);
        // Unsubscribing from an expired completion succeeds as well.
        if (part !== null) updates.unsubscribe(part.id, uri);
        return {};
      },
    },
    close: () => {
      unfollow();
      updates.close();
    },
  } satisfies Handlers<`resources/${string}` & keyof Handlers["methods"]>;
}

const TEMPLATES = [
  {
    uriTemplate: TEXT_TEMPLATE,
    name: "completion",
    title: "Text of a completion",
    description:
      "The whole text of a completion by its completion_id, the text so far while it runs. Kept for 30 minutes after its end.",
    mimeType: "text/plain",
  },
  {
    uriTemplate: STATE_TEMPLATE,
    name: "completion-state",
    title: "State of a completion",
    description: "How a completion stands, without its text.",
    mimeType: "application/json",
  },
];

/** Follows the completions; returns what ends it. */
function follow(
  completions: Completions,
  updates: ResourceUpdates,
  notifies: ResourceOptions["notifies"],
): () => void {
  if (notifies === "none") return () => {};
  return completions.onChange((id, what) => {
    if (notifies === "all" && what === "started") {
      for (const uriOf of Object.values(URIS)) updates.follow(id, uriOf(id));
    }
    updates.changed(id, what);
  });
}

function checked<T extends z.ZodType>(schema: T, params: unknown): z.output<T> {
  try {
    return parseArguments(schema, params ?? {});
  } catch (thrown) {
    if (!(thrown instanceof FoundryError)) throw thrown;
    throw new RequestError("invalid params", `${thrown.message} ${thrown.action}`);
  }
}

function idsIn(uri: string): string[] {
  const named = partOf(uri);
  return named === null ? [] : [named.id];
}

/** Which completion a URI means, and which part of it. */
function meant(completions: Completions, uri: string) {
  const named = partOf(uri);
  if (named === null) {
    throw notFound(
      uri,
      `No resource has this URI; completions have ${TEXT_TEMPLATE} and ${STATE_TEMPLATE}.`,
    );
  }
  const { id, part } = named;
  return { state: stateOf(completions, id, uri), part, uri: URIS[part](id) };
}

const URIS = { text: completionUri, state: stateUri } as const;

function stateOf(completions: Completions, id: string, uri: string): CompletionState {
  try {
    return completions.get(id);
  } catch (thrown) {
    if (!(thrown instanceof FoundryError) || thrown.code !== "COMPLETION_NOT_FOUND") throw thrown;
    throw notFound(uri, serverWords(thrown.message));
  }
}

const notFound = (uri: string, what: string): RequestError =>
  new RequestError("invalid params", `${what} resources/list lists the existing ones.`, {
    uri: truncate(uri, LONGEST_URI),
  });

/** The newest first, from the one after the cursor. The metrics are at the end. */
function pageOf(
  states: readonly CompletionState[],
  cursor: string | undefined,
  secrets: SecretMask,
) {
  const rest = cursor === undefined ? states : statesAfter(states, cursor);
  const page = rest.slice(0, PAGE);
  const last = page.at(-1);
  const isMore = last !== undefined && rest.length > PAGE;
  return {
    resources: [
      ...page.map((state) => resourceOf(state, secrets)),
      ...(isMore ? [] : [METRICS_RESOURCE]),
    ],
    ...(isMore ? { nextCursor: `${last.createdAt}.${last.id}` } : {}),
  };
}

/** If the last entry of the page before was evicted since, its time determines the next page. */
function statesAfter(
  states: readonly CompletionState[],
  cursor: string,
): readonly CompletionState[] {
  const [, time, id] = /^(\d{1,16})\.([a-z0-9-]{1,60})$/.exec(cursor) ?? [];
  if (time === undefined) {
    throw new RequestError(
      "invalid params",
      "Unknown cursor. Omit cursor to start with the newest.",
    );
  }
  const at = states.findIndex((state) => state.id === id);
  return at >= 0
    ? states.slice(at + 1)
    : states.filter(({ createdAt }) => createdAt <= Number(time));
}
