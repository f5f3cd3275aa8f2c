import * as z from "zod";
import { truncate } from "../lib/index.js";
import { FIXED, type Handlers, RequestError } from "./requests.js";
import { SKILL } from "./skill.js";

const uriParams = z.looseObject({ uri: z.string() });

/** Serves the one skill (SEP-2640). Its text is read as a resource. */
export const skillHandlers = {
  "skills/list": () => ({ skills: [SKILL.entry], ...FIXED }),
  "skills/get": (params) => {
    const { uri = "" } = uriParams.safeParse(params).data ?? {};
    if (uri === SKILL.entry.uri) return { skill: SKILL.entry, ...FIXED };
    throw new RequestError(`There is no skill ${truncate(uri, 200)}. There is ${SKILL.entry.uri}.`);
  },
} satisfies Pick<Handlers["methods"], "skills/list" | "skills/get">;

/** The contents of the skill as a resource; `null` for another URI. */
export const skillContents = (uri: string) =>
  uri === SKILL.entry.uri ? [{ uri, mimeType: "text/markdown", text: SKILL.text }] : null;
