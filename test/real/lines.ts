import { fileURLToPath } from "node:url";

/** One build of Foundry Local that tests run against: its name and its service. */
export interface ServiceLine {
  readonly name: "core-1" | "core-2-oldest" | "core-2-newest";
  readonly dialect: "C1" | "C2";
  readonly sdkVersion: string;
}

export const serviceLines: readonly ServiceLine[] = [
  { name: "core-1", dialect: "C1", sdkVersion: "1.2.4" },
  { name: "core-2-oldest", dialect: "C2", sdkVersion: "2.0.1" },
  { name: "core-2-newest", dialect: "C2", sdkVersion: "2.2.1" },
];

/** A file beside this one. */
export function ownFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

export const realDirectory = fileURLToPath(new URL("../../.real/", import.meta.url));
