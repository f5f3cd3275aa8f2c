import { imageTypeOf, isMembers, LONGEST_IMAGE_BYTES, MOST_IMAGES } from "../../lib/index.js";
import type { MessageImage } from "../dialects/index.js";

/** The content of a message, as text and images. The models here take no other kind of part. */
interface ReadContent {
  /** Each part begins a line. */
  readonly text: string;
  readonly images: readonly MessageImage[];
}

interface ContentFault {
  readonly path: readonly (string | number)[];
  /** What would be right. */
  readonly allowed: string;
}

const IMAGE =
  "an image as base64 or as a data: URL (PNG, JPEG, GIF or WebP). Nothing is fetched from an address: read the image and give its content";
const PART = 'a string, or a part of type "text", "image_url" or "image"';

/** Reads a content: a string, or parts such as those of the OpenAI API and of MCP. */
export function readContent(content: unknown): ReadContent | ContentFault {
  if (content === null || content === undefined) return { text: "", images: [] };
  if (typeof content === "string") return { text: content, images: [] };
  if (!Array.isArray(content)) return { path: [], allowed: "a string, or a list of parts" };
  let text = "";
  let hasText = false;
  const images: MessageImage[] = [];
  for (const [index, part] of content.entries()) {
    const read = readPart(part);
    if ("allowed" in read) return { ...read, path: [index, ...read.path] };
    if ("text" in read) {
      text += hasText ? `\n${read.text}` : read.text;
      hasText = true;
    } else {
      images.push({ ...read, at: text.length });
    }
  }
  if (images.length > MOST_IMAGES) return { path: [], allowed: `at most ${MOST_IMAGES} images` };
  return { text, images };
}

type ReadPart = { readonly text: string } | Omit<MessageImage, "at"> | ContentFault;

function readPart(part: unknown): ReadPart {
  if (typeof part === "string") return { text: part };
  const members = isMembers(part) ? part : {};
  const { type, text } = members;
  if (type === "image_url") return readImageUrl(members["image_url"]);
  if (type === "image") return readImage(members["data"], ["data"]);
  if (typeof type === "string" && /audio/i.test(type)) {
    return { path: ["type"], allowed: `${PART}. Audio is not supported: transcribe it before` };
  }
  if (typeof text === "string" && (type === undefined || type === "text")) return { text };
  return { path: type === undefined || type === "text" ? [] : ["type"], allowed: PART };
}

/** The URL alone, or within an object, as the OpenAI API has it. */
function readImageUrl(value: unknown): ReadPart {
  const url = isMembers(value) ? value["url"] : value;
  const path = isMembers(value) ? ["image_url", "url"] : ["image_url"];
  const [head = ""] = typeof url === "string" ? url.slice(0, LONGEST_HEAD).split(",", 1) : [];
  if (typeof url !== "string" || !/^data:[^,]*;base64$/i.test(head))
    return { path, allowed: IMAGE };
  return readImage(url.slice(head.length + 1), path);
}

/** A data: URL begins with its type and parameters. */
const LONGEST_HEAD = 200;

function readImage(data: unknown, path: readonly string[]): ReadPart {
  if (typeof data !== "string" || data.trim() === "") return { path, allowed: IMAGE };
  // Before anything else is done with it.
  const bytes = Math.floor((data.length * 3) / 4);
  if (bytes > LONGEST_IMAGE_BYTES) {
    return {
      path,
      allowed: `an image of at most ${megabytes(LONGEST_IMAGE_BYTES)}; this one has about ${megabytes(bytes)}. Make it smaller: models see about a megapixel`,
    };
  }
  const base64 = /\s/.test(data) ? data.replace(/\s+/g, "") : data;
  const digits = base64.replace(/={1,2}$/, "");
  if (digits.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(digits)) {
    return {
      path,
      allowed: "base64, of which this has characters that it does not know, or too few",
    };
  }
  // What the caller said of it may be wrong.
  const mimeType = imageTypeOf(Buffer.from(digits.slice(0, 32), "base64"));
  if (mimeType === null) return { path, allowed: IMAGE };
  return { mimeType, data: digits.padEnd(Math.ceil(digits.length / 4) * 4, "=") };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;
