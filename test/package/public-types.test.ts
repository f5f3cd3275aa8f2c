import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const types = fileURLToPath(new URL("../../dist/types/", import.meta.url));

/** The text of a declaration file, without comments. */
const declarationsIn = (file: string): string =>
  readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");

interface Named {
  readonly original: string;
  readonly local: string;
  readonly file: string;
}

/** The names that a file imports from or exports of other files. */
function namesFrom(file: string, keyword: "import" | "export"): Named[] {
  const statement = new RegExp(`^${keyword} (?:type )?\\{([^}]*)\\} from "([^"]+)\\.js"`, "gm");
  return [...declarationsIn(file).matchAll(statement)].flatMap(([, names = "", path = ""]) =>
    names
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => {
        const [original = "", local = original] = name.split(" as ");
        return { original, local, file: join(dirname(file), `${path}.d.ts`) };
      }),
  );
}

/** The file that declares a name, through all exports in between. */
function declaring({ original, file }: Named): { name: string; file: string } {
  const named = namesFrom(file, "export").find(({ local }) => local === original);
  if (named !== undefined) return declaring(named);
  if (statementsOf(file).has(original)) return { name: original, file };
  const all = [...declarationsIn(file).matchAll(/^export (?:type )?\* from "([^"]+)\.js"/gm)];
  const found = all
    .map(([, path = ""]) => join(dirname(file), `${path}.d.ts`))
    .find((other) => statementsOf(other).has(original));
  return { name: original, file: found ?? file };
}

const STATEMENT =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/;

/** The statements of a file by the names that they declare. */
function statementsOf(file: string): Map<string, string> {
  const parts = declarationsIn(file).split(/^(?=(?:export|declare|interface|type|import) )/m);
  return new Map(
    parts.flatMap((part) => {
      const [, name] = STATEMENT.exec(part) ?? [];
      return name === undefined ? [] : [[name, part]];
    }),
  );
}

describe("the types of the library", () => {
  const exported = namesFrom(join(types, "index.d.ts"), "export").map(declaring);
  const names = new Set(exported.map(({ name }) => name));

  test("are all exported that a signature uses", () => {
    const missing = exported.flatMap(({ name, file: declaredIn }) => {
      const statements = statementsOf(declaredIn);
      const statement = statements.get(name) ?? "";
      expect(statement, name).not.toBe("");
      const imported = namesFrom(declaredIn, "import");
      const originals = new Map(imported.map((each) => [each.local, each.original]));
      const used = new Set(statement.match(/[A-Za-z_]\w*/g));
      return [...used]
        .filter((word) => originals.has(word) || statements.has(word))
        .map((word) => originals.get(word) ?? word)
        .filter((word) => /^[A-Z][a-z]/.test(word) && !names.has(word))
        .map((word) => `${name} uses ${word}`);
    });

    expect(missing).toEqual([]);
  });

  test.each(["index.d.ts", "simulator/index.d.ts"])(
    "compile by themselves, without the types of Node: %s",
    async (entry) => {
      const strict = ["--strict", "--module", "nodenext", "--target", "es2022", "--noEmit"];
      const browser = ["--lib", "es2022,dom", "--types", "", "--ignoreConfig"];
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(types, "..", "..", "node_modules", "typescript", "bin", "tsc"),
        ...strict,
        ...browser,
        join(types, entry),
      ]).catch((failed: { readonly stdout: string }) => failed);
      expect(stdout).toBe("");
    },
  );
});
