import { FoundryError, MOST_AUTO_TRIES, quoted } from "../../lib/index.js";
import type { AutoWish, ResolvedModel } from "../loading/index.js";
import { modelKey, type RequestNeeds, spelledName } from "../models/index.js";
import type { CompletionRequest } from "./completion.js";

/** Failures of a model before it answers: another model may be usable. */
const UNUSABLE = new Set([
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

  /** @param needs Called where the request names "auto", once. */
  constructor({ model, models = [] }: CompletionRequest, needs: () => RequestNeeds) {
    const given = model === undefined ? models : [model, ...models];
    const names = [...new Set(given.map((name) => name.trim()))];
    this.#names = names.length === 0 ? [undefined] : names;
    let computed: RequestNeeds | null = null;
    const once = (): RequestNeeds => {
      computed ??= needs();
      return computed;
    };
    this.wish = { needs: once, without: this.#without };
  }

  /** The name that is tried now; `undefined`: the default model. */
  get name(): string | undefined {
    return this.#names[this.#at];
  }

  /** The name by which the chosen model is resolved again, after the queue. */
  get nameAgain(): string | undefined {
    return this.#chosen?.isAuto === true ? this.#chosen.model.id : this.name;
  }

  /** What was typed for a model that "auto" chose. */
  get typedForAuto(): string | null {
    return this.#chosen?.isAuto === true ? this.#chosen.typed : null;
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
