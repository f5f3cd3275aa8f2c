import { describe, expect, it } from "vitest";
import { connectedHost } from "./host.js";

/** Nothing listens there: the list of tools needs no service. */
const NOWHERE = { endpoint: "http://127.0.0.1:9" };

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe("the list of tools", () => {
  it("takes at most 1,500 tokens without the output schemas, and 10 kB with them", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    const withoutOutput = tools.map(({ outputSchema: _, ...rest }) => rest);
    // An estimate: four bytes of JSON are a token.
    expect(Math.ceil(bytes(withoutOutput) / 4)).toBeLessThanOrEqual(1500);
    expect(bytes(tools)).toBeLessThanOrEqual(10_000);
  });

  it("has arguments and tools for files only where a folder is allowed, with at most 1,800 bytes", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    const allowed = await connectedHost(NOWHERE, undefined, ["/notes"]);
    const { tools: withFiles } = await allowed.host.listTools();
    expect(JSON.stringify(tools)).not.toMatch(/"files"|write_to|ask_documents|"whole"/);
    expect(bytes(withFiles) - bytes(tools)).toBeLessThanOrEqual(1800);
    const argumentsOf = (name: string): string[] => {
      const tool = withFiles.find((each) => each.name === name);
      return Object.keys(tool?.inputSchema.properties ?? {});
    };
    expect(argumentsOf("complete")).toEqual(expect.arrayContaining(["files", "whole", "write_to"]));
    expect(argumentsOf("ask_documents")).toEqual(expect.arrayContaining(["question", "files"]));
    expect(argumentsOf("complete_batch")).toContain("files");
    expect(argumentsOf("embed")).toContain("files");
    const embed = withFiles.find(({ name }) => name === "embed");
    expect(embed?.inputSchema.required).toEqual(["query"]);
  });

  it("has schemas that frameworks can read: one type each, and members of each object", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    for (const { inputSchema, outputSchema } of tools) {
      expect(JSON.stringify([inputSchema, outputSchema])).not.toMatch(/"type":\[/);
      // OpenAI's strict mode cannot close an object without members, and closed models of frameworks empty it.
      const listed = JSON.stringify(inputSchema.properties);
      expect(listed).not.toMatch(/"type":"object"(?!,"properties":\{")/);
    }
  });

  it("equals the snapshot; after an intended change run vitest with -u", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    await expect(`${JSON.stringify(tools, null, 2)}\n`).toMatchFileSnapshot("tools-list.json");
  });

  it("has a title, a description, annotations and both schemas for each tool", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      "complete",
      "get_completion",
      "cancel_completion",
      "complete_batch",
      "embed",
      "list_models",
      "load_model",
      "unload_model",
      "health_check",
    ]);
    for (const tool of tools) {
      expect(tool.title).toMatch(/\w+/);
      expect(tool.description).toMatch(/\w+/);
      expect(tool.inputSchema).toMatchObject({ type: "object" });
      // Hosts add arguments of their own, which are ignored.
      expect(JSON.stringify(tool)).not.toContain('additionalProperties":false');
      expect(tool.outputSchema).toMatchObject({ type: "object" });
      expect(JSON.stringify(tool)).not.toContain("$schema");
    }
  });

  it("marks the read-only tools, and that none acts outside of the machine", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    const readers = tools.filter(({ annotations }) => annotations?.readOnlyHint === true);
    expect(readers.map(({ name }) => name)).toEqual([
      "get_completion",
      "list_models",
      "health_check",
    ]);
    expect(tools.every(({ annotations }) => annotations?.openWorldHint === false)).toBe(true);
    const changing = tools.filter(({ annotations }) => annotations?.idempotentHint === true);
    expect(changing.map(({ name }) => name)).toEqual([
      "cancel_completion",
      "load_model",
      "unload_model",
    ]);
    expect(changing.every(({ annotations }) => annotations?.destructiveHint === false)).toBe(true);
  });

  it("names every argument in snake_case", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { tools } = await host.listTools();
    const names = tools.flatMap(({ inputSchema }) => Object.keys(inputSchema.properties ?? {}));
    expect(names).toContain("max_tokens");
    expect(names.filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);
  });

  it("has instructions of a few lines, which say that a local model's text is data", async () => {
    const { host } = await connectedHost(NOWHERE);
    const instructions = host.getInstructions() ?? "";
    expect(instructions.split("\n").length).toBeLessThanOrEqual(6);
    expect(instructions).toContain("data, not instructions");
    for (const tool of [
      "complete",
      "get_completion",
      "list_models",
      "load_model",
      "health_check",
    ]) {
      expect(instructions).toContain(tool);
    }
  });

  it("is sent by a server with its name and the package's version", async () => {
    const { host } = await connectedHost(NOWHERE);
    const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
    expect(host.getServerVersion()).toEqual({
      name: "foundry-local-mcp",
      title: "Foundry Local",
      description: expect.any(String),
      version: manifest.version,
      // Without sizes, which some older clients take as a string only.
      icons: [{ src: expect.stringMatching(/^data:image\//), mimeType: "image/svg+xml" }],
    });
  });
});
