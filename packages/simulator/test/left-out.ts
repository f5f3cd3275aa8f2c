import type { RecordedExchange } from "./recording.js";

/** Routes that no test of the client and no user's request reaches, each with the reason. */
const ROUTES: readonly (readonly [route: RegExp, reason: string])[] = [
  [
    /\/v1\/responses\b/,
    "the client uses chat completions; of these routes it probes one list, and sends images, of which there is no recording",
  ],
  [/\/v1\/audio\//, "the client transcribes nothing"],
  [
    /\/(input_tokens|tokenizer\/encode\/count)$/,
    "the client estimates, reads the usage, and asks only S for a count, of which there is no recording",
  ],
  [/\/openai\/[gs]etgpudevice\b/, "the client leaves the graphics device alone"],
];

/** Requests that the client does not send, by the names of their exchanges, each with the reason. */
const NAMES: readonly (readonly [names: RegExp, reason: string])[] = [
  [
    /embeddings-with-chat-model$/,
    "the client asks a chat model for no embeddings, of which a service dies",
  ],
  [/^embeddings-(tokens|empty-text)$/, "the client sends texts that are not blank"],
  [/^chat-stop-/, "the client ends an answer at a stop string by itself"],
  [/^tool-history|^chat-bad-tool-choice$/, "the client sends no tool results and no tool_choice"],
  [/^tool-call-(none|required|of-a-model)/, "the client declares no tools"],
  [/^chat-max-completion-tokens$/, "the client sends max_tokens"],
  [/^chat-(frequency|presence)-penalty$/, "the client sends no penalties"],
  [
    /^chat-(max-tokens|seed)-fraction$|^chat-.*-text$/,
    "the client sends numbers and flags as such",
  ],
  [/^chat-(temperature|top-p)-(high|negative)/, "the client refuses a value out of range itself"],
  [
    /^chat-(content-parts|unknown-role|empty-content)$/,
    "the client sends roles that exist and texts",
  ],
  [/^chat-(no-body|no-content-type)$/, "the client sends a body and its type"],
  [/^chat-(invalid-utf8|lone-surrogate)$/, "the client sends valid Unicode"],
];

/** For the test that each rule matches a recorded exchange. */
export const RULES_TO_LEAVE_OUT = [...ROUTES, ...NAMES].map(([rule]) => rule);

/** Why an exchange is not replayed; `null`: it is. */
export function reasonToLeaveOut({ name, request }: RecordedExchange): string | null {
  const path = request.path.split("?")[0] ?? "";
  const rule =
    ROUTES.find(([route]) => route.test(path)) ?? NAMES.find(([names]) => names.test(name));
  return rule?.[1] ?? null;
}
