import * as z from "zod";
import { type CompletionState, type Completions, hasEnded } from "../../jobs/index.js";
import {
  FoundryError,
  inSnakeCase,
  parseArguments,
  type SecretMask,
  truncate,
} from "../../lib/index.js";
import { serverWords } from "../../server-words.js";
import type { Backend } from "../backend.js";
import { assertFirstPage, type Handlers, RequestError } from "../requests.js";
import { skillContents } from "../skills.js";
import {
  contentsOf,
  harmlessJson,
  partOf,
  resourceOf,
  STATE_TEMPLATE,
  TEXT_TEMPLATE,
} from "./completion-resource.js";
import { MOST_SUBSCRIPTIONS, ResourceUpdates, type UpdateOptions } from "./resource-updates.js";

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

/**
 * Makes the completions that are kept, and the metrics, readable as resources, and notifies subscribers of
 * changes of completions.
 */
export function resourceHandlers({ client, secrets, kept }: Backend, options: UpdateOptions) {
  const { completions } = client;
  const updates = new ResourceUpdates(completions, options);
  /** Which completion a URI means, and which part of it. The keeper may have it. */
  const meant = async (uri: string) => {
    const named = partOf(uri);
    if (named === null) {
      throw notFound(
        uri,
        `No resource has this URI; completions have ${TEXT_TEMPLATE} and ${STATE_TEMPLATE}.`,
      );
    }
    await kept.find([named.id]);
    return named;
  };
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
        if (uri === METRICS_URI) {
          const text = harmlessJson(inSnakeCase(client.metrics()), secrets);
          return { contents: [{ uri, mimeType: "application/json", text }] };
        }
        const { id, part } = await meant(uri);
        const state = stateOf(completions, id, uri);
        if (part === "text") {
          completions.noteReturned(id);
          kept.answeredRegenerated(id);
          if (hasEnded(state)) await kept.answered({ promised: [], delivered: [id] });
        }
        return { contents: contentsOf(state, part, secrets) };
      },
      "resources/subscribe": async (params) => {
        const { uri } = checked(uriParams, params);
        // They are listed, and have no updates.
        if (uri === METRICS_URI || skillContents(uri) !== null) return {};
        const { id } = await meant(uri);
        if (hasEnded(stateOf(completions, id, uri))) {
          updates.notifyOnce(uri);
        } else if (!updates.subscribe(id, uri)) {
          throw new RequestError(
            `The limit of ${MOST_SUBSCRIPTIONS} subscriptions is reached. Unsubscribe from some.`,
            "invalid request",
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
    close: () => updates.close(),
  } satisfies Handlers<`resources/${string}` & keyof Handlers["methods"]>;
}

const METRICS_URI = "foundry://metrics";

/** The metrics in a list of resources. */
const METRICS_RESOURCE = {
  uri: METRICS_URI,
  name: "metrics",
  title: "Metrics",
  description: "Counts, errors and times of this server's calls, by operation and model.",
  mimeType: "application/json",
};

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

function checked<T extends z.ZodType>(schema: T, params: unknown): z.output<T> {
  try {
    return parseArguments(schema, params ?? {});
  } catch (thrown) {
    if (!(thrown instanceof FoundryError)) throw thrown;
    throw new RequestError(`${thrown.message} ${thrown.action}`);
  }
}

function stateOf(completions: Completions, id: string, uri: string): CompletionState {
  try {
    return completions.get(id);
  } catch (thrown) {
    if (!(thrown instanceof FoundryError) || thrown.code !== "COMPLETION_NOT_FOUND") throw thrown;
    throw notFound(uri, serverWords(thrown.message));
  }
}

const notFound = (uri: string, what: string): RequestError =>
  new RequestError(`${what} resources/list lists the existing ones.`, "invalid params", {
    uri: truncate(uri, LONGEST_URI),
  });

/** The newest first, from the one after the cursor. The metrics are at the end. */
function pageOf(
  states: readonly CompletionState[],
  cursor: string | undefined,
  secrets: SecretMask,
) {
  // Hosts that send all params send an empty one at first.
  const isFirst = cursor === undefined || cursor === "";
  const rest = isFirst ? states : statesAfter(states, cursor);
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
    throw new RequestError("Unknown cursor. Omit cursor to start with the newest.");
  }
  const at = states.findIndex((state) => state.id === id);
  return at >= 0
    ? states.slice(at + 1)
    : states.filter(({ createdAt }) => createdAt <= Number(time));
}
