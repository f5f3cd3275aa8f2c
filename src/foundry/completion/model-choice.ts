import {
  type ErrorCode,
  FoundryError,
  MOST_AUTO_TRIES,
  quoted,
  toFoundryError,
} from "../../lib/index.js";
import type { ChatMessage, Dialect } from "../dialects/index.js";
import {
  assertCanChat,
  type ModelLoader,
  type ResolvedModel,
  type ResolveOptions,
} from "../loading/index.js";
import {
  type AutoWish,
  canSee,
  type KnownModel,
  modelKey,
  type RequestNeeds,
  spelledName,
} from "../models/index.js";
import { toolboxFor } from "../tools/index.js";
import type { CompletionRequest } from "./completion.js";
import { promptTokens } from "./prompt-size.js";
import { prepareMessages } from "./request.js";
import { structureOf } from "./structured.js";

/** Failures of a model before it answers: another model may be usable. */
const UNUSABLE: ReadonlySet<ErrorCode> = new Set([
  "MODEL_NOT_FOUND",
  "MODEL_NOT_CACHED",
  "MODEL_NOT_LOADED",
  "MODEL_CANNOT_CHAT",
  "MODEL_CANNOT_SEE",
  "LOAD_FAILED",
  "EP_UNAVAILABLE",
  "INSUFFICIENT_MEMORY",
]);

/** A model that could not be used, and why. */
interface Failed {
  readonly name: string;
  readonly error: FoundryError;
}

/**
 * The models of a request in its order of preference: which one is tried now, and why those before it were
 * not used. "auto" stands for several models, which are tried one after the other.
 */
export class ModelOrder {
  readonly #names: readonly (string | undefined)[];
  /** What "auto" stands for. */
  readonly wish: AutoWish;
  readonly #failed: Failed[] = [];
  /** Models that "auto" chose and that could not be used. */
  readonly #without = new Set<string>();
  #at = 0;
  /** The index of the name whose choices by "auto" have failed. */
  #failedAt: number | null = null;
  #chosen: ResolvedModel | null = null;
  #isExhausted = false;
  #prefersCode = true;

  /** @param maxTokens Of the answer, where the request does not say. */
  constructor(request: CompletionRequest, messages: readonly ChatMessage[], maxTokens: number) {
    const { model, models = [] } = request;
    const given = model === undefined ? models : [model, ...models];
    const names = [...new Set(given.map((name) => name.trim()))];
    this.#names = names.length === 0 ? [undefined] : names;
    let computed: RequestNeeds | null = null;
    const needs = (): RequestNeeds => {
      computed ??= needsOf(request, messages, maxTokens);
      return { ...computed, code: computed.code && this.#prefersCode };
    };
    this.wish = { needs, without: this.#without };
  }

  /** The name that is tried now; `undefined`: the default model. */
  get name(): string | undefined {
    return this.#names[this.#at];
  }

  /** Resolves the chosen model again, after the queue. */
  async again(loader: ModelLoader, call: ResolveOptions): Promise<ResolvedModel> {
    const chosen = this.#chosen;
    if (chosen?.isAuto !== true) return loader.resolveModel(this.name, call);
    return { ...(await loader.resolveModel(chosen.model.id, call)), typed: chosen.typed };
  }

  /** What was tried before, each a sentence. */
  get notes(): string[] {
    return this.#failed.map(noteOn);
  }

  get #hasNext(): boolean {
    return this.#at + 1 < this.#names.length;
  }

  /**
   * The name that is tried now stands for this model.
   *
   * @throws FoundryError `MODEL_NOT_CACHED` if it is not downloaded and another name follows.
   */
  chose(resolved: ResolvedModel): void {
    this.#chosen = resolved;
    const { model } = resolved;
    if (model.downloaded !== false || !this.#hasNext) return;
    throw new FoundryError("MODEL_NOT_CACHED", `${model.id} is not downloaded.`, {
      action: `To download it, call \`loadModel\` with model "${spelledName(model)}" and download true. It may be gigabytes, so ask the user first.`,
    });
  }

  /**
   * Takes note of a failure before the first token. Returns whether another model is tried now.
   *
   * @param ofLoad It ended a load.
   */
  next(error: FoundryError, ofLoad: boolean): boolean {
    const chosen = this.#chosen;
    this.#chosen = null;
    const isSlowLoad = ofLoad && error.code === "TIMEOUT" && error.phase !== "connect";
    if (!UNUSABLE.has(error.code) && !isSlowLoad) return false;
    if (chosen?.isAuto === true) {
      this.#failed.push({ name: chosen.model.id, error });
      this.#without.add(modelKey(chosen.model));
      this.#failedAt = this.#at;
      // Where the list does not say what is downloaded, all models for code may be missing.
      if (error.code === "MODEL_NOT_CACHED") this.#prefersCode = false;
      if (this.#without.size < MOST_AUTO_TRIES) return true;
    } else if (this.#failedAt !== this.#at) {
      this.#failed.push({ name: this.name ?? "", error });
    }
    if (this.#hasNext) {
      this.#at += 1;
      return true;
    }
    this.#isExhausted = true;
    return false;
  }

  /** The final error of the request: where no model could be used, that of the first which could be downloaded, else of the first. */
  explained(error: FoundryError): FoundryError {
    const failed =
      this.#failed.find((each) => each.error.code === "MODEL_NOT_CACHED") ?? this.#failed[0];
    if (!this.#isExhausted || failed === undefined) return error;
    const others = this.#failed.filter((each) => each !== failed);
    if (others.length === 0) return failed.error;
    const message = [failed.error.message, ...others.map(noteOn)].join(" ");
    return failed.error.reworded({ message });
  }
}

const noteOn = ({ name, error }: Failed): string =>
  `${quoted(name)} was not used: ${error.message}`;

/**
 * The first model of a request, in its order, that can be used as far as the list of models says.
 *
 * @throws FoundryError `INVALID_ARGUMENT` also for a schema or tools that a completion would refuse.
 */
export async function modelFor(
  loader: ModelLoader,
  request: CompletionRequest,
  maxTokens: number,
  call: Pick<ResolveOptions, "signal" | "trace" | "onStatus">,
): Promise<KnownModel> {
  if (request.schema !== undefined) await structureOf(request.schema);
  await toolboxFor(request.tools, request.toolChoice);
  const { messages } = prepareMessages(request);
  const order = new ModelOrder(request, messages, maxTokens);
  for (;;) {
    try {
      const resolved = await loader.resolveModel(order.name, { ...call, auto: order.wish });
      order.chose(resolved);
      assertCanChat(resolved.model);
      return resolved.model;
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (!order.next(error, false)) throw order.explained(error);
    }
  }
}

/** Of a text, so much is searched for words about code. */
const SEARCHED = 16_384;

const LANGUAGES =
  "TypeScript|JavaScript|Python|Java|Kotlin|Rust|C\\+\\+|C#|SQL|Bash|PowerShell|HTML|CSS|regex(?:p|es)?|regular expressions?";
const THINGS = `code|functions?|unit tests?|stack ?traces?|${LANGUAGES}`;
const WORK =
  "write|implement|create|generate|fix|debug|refactor|review|explain|optimi[sz]e|port|translate|convert|complete|add";
const ABOUT_CODE = new RegExp(
  `^(?:\`\`\`|~~~|diff --git |@@ -\\d|#!/)|\\b(?:${WORK})\\b[^.?!\\n]{0,60}?\\b(?:${THINGS})(?!\\w)`,
  "im",
);

/** Whether a request is about code: it has a block or a diff of code, or asks for work on code. */
export const isAboutCode = (text: string): boolean => ABOUT_CODE.test(text.slice(0, SEARCHED));

/** What a request needs of its model. */
export function needsOf(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  maxTokens: number,
): RequestNeeds {
  const { tools = [], toolChoice, schema } = request;
  const asked = messages.findLast(({ role }) => role === "user");
  const besides = [...(schema === undefined ? [] : [schema]), ...tools];
  const { least, likely } = promptTokens(messages, besides);
  return {
    tools: tools.length > 0 && toolChoice !== "none",
    images: messages.some(({ images }) => images !== undefined),
    code: asked !== undefined && isAboutCode(asked.content),
    leastTokens: least,
    likelyTokens: likely + (request.maxTokens ?? maxTokens),
  };
}

/**
 * Refuses images for a model that takes none, before anything is loaded or sent. A service would drop them
 * without a word, or fail.
 *
 * @throws FoundryError `MODEL_CANNOT_SEE`
 */
export function assertCanSee(
  model: KnownModel,
  dialect: Dialect,
  messages: readonly ChatMessage[],
): void {
  if (messages.every(({ images }) => images === undefined)) return;
  if (!dialect.can.images) {
    throw new FoundryError("MODEL_CANNOT_SEE", `${dialect.title} gives no images to its models.`, {
      action: "Leave the images out, or use another engine with a model that takes images.",
    });
  }
  // A catalog that names the task of a model says so of every model that takes images.
  const sees = canSee(model) ?? (dialect.can.isFoundryLocal && model.task !== null ? false : null);
  if (sees !== false) return;
  throw new FoundryError("MODEL_CANNOT_SEE", `${model.id} takes no images. Nothing was sent.`, {
    action:
      'Leave the images out, or name a model that takes images: "auto" chooses one, and `listModels` shows them with the task vision-language-chat.',
  });
}
