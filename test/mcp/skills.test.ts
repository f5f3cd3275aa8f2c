import { SkillSchema } from "@modelcontextprotocol/core/ext/skills";
import { skillEntry } from "@modelcontextprotocol/server/ext/skills";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { SKILL } from "../../src/mcp/skill.js";
import { TOOLS_WITH_FILES } from "../../src/mcp/tools/index.js";
import { connectedHost } from "./host.js";

const listed = z.object({ skills: z.array(SkillSchema) });
const one = z.object({ skill: SkillSchema });

describe("the skill", () => {
  it("is listed, described and read with the digest of its entry", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:1" });

    const { skills } = await host.request({ method: "skills/list" }, listed);
    const [{ uri } = { uri: "" }] = skills;
    const { skill } = await host.request({ method: "skills/get", params: { uri } }, one);
    const { contents } = await host.readResource({ uri });

    expect(skills).toEqual([skill]);
    const [content] = contents;
    const text = content !== undefined && "text" in content ? content.text : "";
    expect(await skillEntry("foundry-local", { "SKILL.md": text })).toEqual(skill);
  });

  it("is declared as an extension", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:1" });

    expect(host.getServerCapabilities()).toMatchObject({
      extensions: { "io.modelcontextprotocol/skills": {} },
    });
  });

  it("with another name does not exist", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:1" });

    await expect(
      host.request({ method: "skills/get", params: { uri: "skill://other/SKILL.md" } }, one),
    ).rejects.toThrow("There is skill://foundry-local/SKILL.md");
  });

  it("names no tool that does not exist", () => {
    const names = TOOLS_WITH_FILES.map(({ name }) => name);
    const called = [...SKILL.text.matchAll(/`([a-z]+_[a-z]+)`/g)].map(([, name = ""]) => name);
    const members = ["response_schema", "max_tokens", "write_to", "size_mb", "context_length"];

    expect(called.length).toBeGreaterThan(3);
    for (const name of called) expect([...names, ...members]).toContain(name);
  });
});
