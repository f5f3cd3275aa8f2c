/**
 * Replaces what differs from run to run and machine to machine, so that a new recording changes
 * a recording only where the service changed.
 */
export class Neutral {
  readonly #replacements: readonly (readonly [string | RegExp, string])[];
  readonly #ids = new Map<string, string>();

  constructor(service: { url: string; pid: number; modelCachePath: string }) {
    const state = service.modelCachePath.replace(/\/models$/, "");
    this.#replacements = [
      [service.modelCachePath, "/home/user/.foundry/cache/models"],
      [state, "/home/user/.foundry"],
      [new URL(service.url).host, "127.0.0.1:5273"],
      [new RegExp(`"pid":${service.pid}\\b`, "g"), '"pid":4242'],
      [/"(created|created_at|completed_at|failed_at|CreatedAt)":1[789]\d{8}\b/g, '"$1":1780000000'],
      [/"(CreatedAt)":"[^"]*"/g, '"$1":"2026-06-01T00:00:00+00:00"'],
    ];
  }

  text(text: string): string {
    let result = text;
    for (const [from, to] of this.#replacements) result = result.replaceAll(from, to);
    result = result.replace(
      /\b(chatcmpl-|resp_|msg_|fc_|rs_|call_)[A-Za-z0-9]{8,}\b/g,
      (id, kind) => this.#numbered(id, kind),
    );
    // 1.x gives tool calls ids of nine letters and digits without a prefix.
    return result.replace(/"(id|tool_call_id)":"([A-Za-z0-9]{9})"/g, (_, key, id) => {
      return `"${key}":"${this.#numbered(id, "id")}"`;
    });
  }

  header(name: string, value: string): readonly [string, string] {
    switch (name.toLowerCase()) {
      case "content-length":
        return [name, value === "0" ? "0" : "(length)"];
      case "date":
        return [name, "(date)"];
      default:
        return [name, this.text(value)];
    }
  }

  #numbered(id: string, kind: string): string {
    const known = this.#ids.get(id) ?? `${kind}${String(this.#ids.size + 1).padStart(7, "0")}`;
    this.#ids.set(id, known);
    return known;
  }
}
