import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as z from "zod";
import { PNG } from "../foundry/images.js";
import { hostWithFiles, hostWithImages, structured } from "./file-hosts.js";

it("images in files that all items of a batch share count once", async () => {
  const { folder, call } = await hostWithImages();
  const photo = Buffer.concat([Buffer.from(PNG, "base64"), Buffer.alloc(7 * 1024 * 1024)]);
  await writeFile(join(folder, "photo.png"), photo);
  const answer = await call("complete_batch", {
    prompts: ["One?", "Two?", "Three?", "Four?", "Five?", "Six?"],
    files: ["photo.png"],
    reply_within: 60,
  });
  expect(structured(answer)).toMatchObject({ counts: { completed: 6 } });
  expect(structured(answer)["notes"]).toContain("Read 1 image: photo.png.");
});

it("files of a batch that are too long together fail their items alone", async () => {
  const { notes, call } = await hostWithFiles();
  for (const name of ["c", "d", "e"]) {
    await writeFile(join(notes, `${name}.txt`), `${"word ".repeat(1_400_000)}\n`);
  }
  const of = (...files: string[]) => ({ prompt: "Sum up.", files, whole: true });
  const long = ["c.txt", "d.txt", "e.txt"];
  const requests = [of(...long), of(...long.toReversed()), of("a.md")];
  const { results } = z
    .looseObject({ results: z.array(z.looseObject({ error: z.unknown().optional() })) })
    .parse(structured(await call("complete_batch", { requests })));
  expect(results.map(({ error }) => Object(error).message)).toEqual([
    expect.stringMatching(/tokens/),
    "The files of this batch are too long together.",
    undefined,
  ]);
});
