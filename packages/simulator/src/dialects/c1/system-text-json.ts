const ESCAPED = /\\u[0-9a-f]{4}|\\.|[<>&'+`\u007f-\uffff]/g;

/** JSON as System.Text.Json writes it by default: quotes, everything but plain ASCII and what HTML minds as `\u00XX`. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(ESCAPED, (found) => {
    if (found === '\\"') return "\\u0022";
    if (found.startsWith("\\u")) return `\\u${found.slice(2).toUpperCase()}`;
    if (found.startsWith("\\")) return found;
    return `\\u${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}
